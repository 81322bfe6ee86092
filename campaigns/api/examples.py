"""An example of every body in the OpenAPI description, by the name of its serializer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_MOMENT: Final = "2026-12-24T09:00:00Z"
_ID: Final = "0f8fad5bd9cb469fa16570867728950e"

_WRITTEN: Final = {
    "title": "Sale",
    "message": "Half price today.",
    "priority": "high",
    "image_url": "https://cdn.example.com/sale.png",
    "link_url": "https://shop.example.com/sale",
    "data_payload": {"sku": "4711"},
    "platform_overrides": {"android": {"notification": {"color": "#ff0000"}}},
    "target_all": False,
    "target_user_ids": ["ann", "bob"],
    "time_to_live_s": 3_600,
    "rate_limit_per_second": None,
    "guarantee": "at_least_once",
    "expires_at": "2026-12-25T00:00:00Z",
}
_SUMMARY: Final = {
    "id": 7,
    **{name: value for name, value in _WRITTEN.items() if name != "target_user_ids"},
    "target_user_count": 2,
    "scheduled_at": None,
    "status": "draft",
    "status_reason": "",
    "allowed_moves": ["cancel", "schedule", "send"],
    "total_recipients": 0,
    "sent_count": 0,
    "success_count": 0,
    "failure_count": 0,
    "invalid_count": 0,
    "unknown_count": 0,
    "skipped_count": 0,
    "started_at": None,
    "completed_at": None,
    "created_by": 1,
    "created_at": "2026-12-23T16:30:00.123456Z",
}
_STATS: Final = {
    "campaign_id": 7,
    "status": "processing",
    "status_reason": "",
    "total_recipients": 1_000_000,
    "sent": 400_000,
    "success": 396_000,
    "failure": 4_000,
    "invalid": 3_900,
    "unknown": 0,
    "skipped": 0,
    "remaining": 600_000,
    "progress": 0.4,
    "rate_per_second": 9_950.0,
    "eta_seconds": 60.3,
    "started_at": _MOMENT,
    "completed_at": None,
    "projects": [{"project_id": "shop-prod", "halt_reason": ""}],
}
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
    "last_seen_at": _MOMENT,
    "created_at": _MOMENT,
    "updated_at": _MOMENT,
}
_KEY: Final = {
    "id": 3,
    "name": "shop backend",
    "prefix": "Xw2nQf8k",
    "scopes": ["campaigns:write", "campaigns:send"],
    "state": "active",
    "created_by": 1,
    "created_at": _MOMENT,
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": None,
    "replaces": None,
}
_CHANNEL: Final = {
    "id": 2,
    "name": "on-call",
    "kind": "webhook",
    "events": ["completed", "failed"],
    "leads_to": "hooks.example.com",
    "is_active": True,
    "disabled_reason": "",
    "failing_since": None,
    "created_at": _MOMENT,
}
_DELIVERY: Final = {
    "id": 11,
    "message_id": f"msg_{_ID}",
    "event": "completed",
    "campaign_id": 7,
    "occurred_at": _MOMENT,
    "state": "delivered",
    "attempts": 1,
    "due_at": None,
    "finished_at": _MOMENT,
    "log": [
        {
            "attempted_at": _MOMENT,
            "duration_ms": 87,
            "status_code": 204,
            "response": "",
            "error": "",
        }
    ],
}


def _answered(value: Any) -> dict[str, Any]:
    return {"response": value}


def _asked(value: Any) -> dict[str, Any]:
    return {"request": value}


EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "CampaignSerializer": {
        "request": _WRITTEN,
        "response": {**_SUMMARY, "target_user_ids": ["ann", "bob"]},
    },
    "CampaignSummarySerializer": _answered(_SUMMARY),
    "ScheduleSerializer": _asked({"scheduled_at": _MOMENT}),
    "RateSerializer": _asked({"rate_limit_per_second": 500}),
    "SentSerializer": _answered(
        {
            "campaign_id": 7,
            "task_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
            "status": "processing",
            "priority": "high",
            "queue": "high_priority",
        }
    ),
    "StatsSerializer": _answered(_STATS),
    "DeviceSerializer": _answered(_DEVICE),
    "RegistrationSerializer": _asked(_REGISTRATION),
    "ChangesSerializer": _asked({"language": "pt-BR", "is_active": False}),
    "BulkResultSerializer": _answered(
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
    "ImportSerializer": _answered(
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
            "created_at": _MOMENT,
            "finished_at": "2026-12-24T09:00:18Z",
        }
    ),
    "ApiKeySerializer": _answered(_KEY),
    "NewKeySerializer": _answered({"key": "Xw2nQf8k.Zq0…", **_KEY}),
    "KeyRequestSerializer": _asked(
        {"name": "shop backend", "scopes": ["campaigns:write", "campaigns:send"]}
    ),
    "RotationSerializer": _asked({"overlap_s": 86_400}),
    "ChannelSerializer": _answered(_CHANNEL),
    "CreatedChannelSerializer": _answered({**_CHANNEL, "secret": "whsec_MfKQ9r8G…"}),
    "NewChannelSerializer": _asked(
        {
            "name": "on-call",
            "kind": "webhook",
            "events": ["completed", "failed"],
            "target": "https://hooks.example.com/pushcore",
        }
    ),
    "ChannelChangeSerializer": _asked({"is_active": False}),
    "SecretSerializer": _answered({"secret": "whsec_MfKQ9r8G…"}),
    "DeliverySerializer": _answered(_DELIVERY),
}


def _error(kind: str, code: str, detail: str, attr: str | None = None, **more: Any) -> Any:
    error = {"code": code, "detail": detail, "attr": attr}
    return {"type": kind, "errors": [error], **more, "request_id": _ID}


_CLIENT: Final = "client_error"

ERRORS: Final[Mapping[str, Any]] = {
    "400": _error("validation_error", "required", "This field is required.", "title"),
    "401": _error(_CLIENT, "not_authenticated", "Authentication credentials were not provided."),
    "403": _error(
        _CLIENT,
        "permission_denied",
        "You do not have permission to perform this action.",
    ),
    "404": _error(_CLIENT, "not_found", "There is no such campaign."),
    "405": _error(_CLIENT, "method_not_allowed", 'Method "TRACE" not allowed.'),
    "406": _error(_CLIENT, "not_acceptable", "Could not satisfy the request Accept header."),
    "409": _error(
        _CLIENT,
        "illegal_move",
        "Cannot send a campaign that is processing; allowed now: cancel, pause.",
        campaign_status="processing",
        allowed_moves=["cancel", "pause"],
    ),
    "412": _error(
        _CLIENT,
        "precondition_failed",
        "It was changed since the version that If-Match names. Read it again, then change it.",
    ),
    "413": _error(
        _CLIENT,
        "too_large",
        "The body has more than 8388608 bytes, which is all that is taken.",
    ),
    "415": _error(
        _CLIENT, "unsupported_media_type", 'Unsupported media type "text/plain" in request.'
    ),
    "422": _error(
        _CLIENT,
        "idempotency_key_reused",
        "Another request was made under this key, of which this is no repetition.",
    ),
    "429": _error(_CLIENT, "throttled", "Request was throttled. Expected available in 12 seconds."),
    "500": _error("server_error", "error", "Server Error (500)"),
}
