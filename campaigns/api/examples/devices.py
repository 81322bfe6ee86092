"""Devices, and the audiences that are chosen among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from campaigns.api.examples.parts import MOMENT, answered, asked

_REGISTRATION: Final = {
    "user_id": "ann",
    "address": "fGc0:APA91bExample",
    "platform": "android",
    "language": "pt-BR",
    "country": "BR",
    "timezone": "America/Sao_Paulo",
    "app_version": "2.10.1",
    "tags": {"plan": "pro", "orders": 7},
}
_DEVICE: Final = {
    "id": 42,
    "project": "shop-prod",
    **_REGISTRATION,
    "address_kind": "token",
    "is_active": True,
    "inactive_reason": "",
    "inactive_since": None,
    "last_seen_at": MOMENT,
    "created_at": MOMENT,
    "updated_at": MOMENT,
}
_RULES: Final = {
    "all": [
        {"field": "country", "op": "eq", "value": "BR"},
        {"not": {"field": "app_version", "op": "lt", "value": "2.0"}},
    ]
}
_SEGMENT: Final = {
    "id": 4,
    "name": "Brazil, current app",
    "description": "",
    "kind": "dynamic",
    "rules": _RULES,
    "current": None,
    "under_way": None,
    "created_by": 1,
    "created_at": MOMENT,
    "updated_at": MOMENT,
}
DEVICES: Final[Mapping[str, Mapping[str, Any]]] = {
    "Device": answered(_DEVICE),
    "Registration": asked(_REGISTRATION),
    "Changes": asked({"language": "pt-BR", "is_active": False}),
    "BulkResult": answered(
        {
            "created": 1,
            "updated": 0,
            "unchanged": 1,
            "errors": [
                {"index": 2, "field": "platform", "reason": "Must be one of android, ios, web."}
            ],
            "repeated": [{"index": 0, "superseded_by": 3}],
        }
    ),
    "Import": answered(
        {
            "id": 5,
            "status": "completed",
            "failure": "",
            "file_format": "csv",
            "project": "shop-prod",
            "total_bytes": 180_000_000,
            "bytes_read": 180_000_000,
            "rows": 2_000_000,
            "rejected": 1,
            "created": 1_999_998,
            "updated": 0,
            "unchanged": 0,
            "repeated": 1,
            "rejects": "https://push.example.com/api/devices/imports/5/rejects/",
            "created_by": 1,
            "created_at": MOMENT,
            "finished_at": "2026-12-24T09:00:18Z",
        }
    ),
    "Segment": answered(_SEGMENT),
    "NewSegment": asked({"name": "Brazil, current app", "rules": _RULES}),
    "SegmentChanges": asked({"rules": _RULES}),
    "Rules": asked({"rules": _RULES}),
    "Reach": answered(
        {
            "total": 312_480,
            "platforms": {"android": 250_000, "ios": 62_480},
            "is_exact": True,
            "margin": 0,
        }
    ),
    "UserList": answered(
        {
            "id": 6,
            "name": "winners",
            "description": "",
            "status": "completed",
            "failure": "",
            "file_format": "text",
            "total_bytes": 18_000_000,
            "bytes_read": 18_000_000,
            "rows": 2_000_000,
            "rejected": 0,
            "repeated": 12,
            "size": 1_999_988,
            "rejects": None,
            "created_by": 1,
            "created_at": MOMENT,
            "finished_at": "2026-12-24T09:00:07Z",
        }
    ),
}
"""By the component's name, `request` and `response`."""
