"""Who may do what, who did it, who is told; and what comes again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from campaigns.api.examples.parts import ID, MOMENT, answered, asked

_KEY: Final = {
    "id": 3,
    "name": "shop backend",
    "prefix": "Xw2nQf8k",
    "scopes": ["campaigns:write", "campaigns:send"],
    "state": "active",
    "created_by": 1,
    "created_at": MOMENT,
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": None,
    "replaces": None,
}
_CHANNEL: Final = {
    "id": 2,
    "name": "on-call",
    "kind": "webhook",
    "events": ["campaign.completed", "campaign.failed"],
    "leads_to": "hooks.example.com",
    "is_active": True,
    "disabled_reason": "",
    "failing_since": None,
    "created_at": MOMENT,
}
_DELIVERY: Final = {
    "id": 11,
    "message_id": f"msg_{ID}",
    "event": "campaign.completed",
    "campaign_id": 7,
    "schedule_id": None,
    "occurred_at": MOMENT,
    "state": "delivered",
    "attempts": 1,
    "due_at": MOMENT,
    "finished_at": MOMENT,
    "log": [
        {
            "attempted_at": MOMENT,
            "duration_ms": 87,
            "status_code": 204,
            "response": "",
            "error": "",
        }
    ],
}


_SCHEDULED: Final = {
    "name": "Monday's offers",
    "campaign": 7,
    "cron": "0 9 * * 1",
    "timezone": "Europe/Berlin",
    "starts_at": None,
    "ends_at": None,
    "window_opens": "09:00",
    "window_closes": "21:00",
    "max_runs": None,
    "overlap": "skip",
    "max_lateness_s": 3_600,
}
_SCHEDULE: Final = {
    "id": 9,
    **_SCHEDULED,
    "status": "active",
    "next_slot": "2026-12-28T08:00:00Z",
    "due_at": "2026-12-28T08:00:00Z",
    "waits_because": "",
    "started_runs": 3,
    "created_by": 1,
    "created_at": MOMENT,
}
OTHERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "ApiKey": answered(_KEY),
    "NewKey": answered({"key": "Xw2nQf8k.Zq0…", **_KEY}),
    "KeyRequest": asked({"name": "shop backend", "scopes": ["campaigns:write", "campaigns:send"]}),
    "Rotation": asked({"overlap_s": 86_400}),
    "Channel": answered(_CHANNEL),
    "CreatedChannel": answered({**_CHANNEL, "secret": "whsec_MfKQ9r8G…"}),
    "NewChannel": asked(
        {
            "name": "on-call",
            "kind": "webhook",
            "events": ["campaign.completed", "campaign.failed"],
            "target": "https://hooks.example.com/pushcore",
        }
    ),
    "ChannelChange": asked({"is_active": False}),
    "Renewal": asked({"overlap_s": 86_400}),
    "Secret": answered({"secret": "whsec_MfKQ9r8G…"}),
    "NoticeDelivery": answered(_DELIVERY),
    "Entry": answered(
        {
            "id": 100,
            "at": MOMENT,
            "action": "update",
            "object_type": "campaign",
            "object_id": "7",
            "object_text": "campaign 7: Sale",
            "actor": 1,
            "actor_name": "ann",
            "by": {"via": "request"},
            "remote_addr": "203.0.113.7",
            "request_id": ID,
            "changes": {"status": ["draft", "processing"]},
        }
    ),
    "ScheduleSummary": {"request": _SCHEDULED, "response": _SCHEDULE},
    "ScheduleDetail": answered(
        {
            **_SCHEDULE,
            "content": {
                "title": "Offers",
                "message": "New this week.",
                "target_all": True,
                "target_user_count": 0,
            },
        }
    ),
    "SchedulePreview": asked({"cron": "0 9 * * 1", "timezone": "Europe/Berlin"}),
    "UpcomingRun": answered(
        {
            "slot": "2026-12-28T08:00:00Z",
            "local": "2026-12-28T09:00:00+01:00",
            "begins_at": "2026-12-28T08:00:00Z",
        }
    ),
    "ScheduleRun": answered(
        {
            "slot": "2026-12-21T08:00:00Z",
            "outcome": "started",
            "reason": "",
            "campaign": 12,
            "decided_at": "2026-12-21T08:00:01Z",
        }
    ),
}
"""By the component's name, `request` and `response`."""
