"""Campaigns: what is written, moved, counted and shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from campaigns.api.examples.parts import MOMENT, answered, asked

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
    "segment": None,
    "user_list": None,
    "exclude_segment": None,
    "exclude_user_list": None,
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
    "title": "Sale",
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
    "started_at": MOMENT,
    "completed_at": None,
    "projects": [{"project_id": "shop-prod", "halt_reason": ""}],
}
CAMPAIGNS: Final[Mapping[str, Mapping[str, Any]]] = {
    "Campaign": {
        "request": _WRITTEN,
        "response": {**_SUMMARY, "target_user_ids": ["ann", "bob"]},
    },
    "CampaignSummary": answered(_SUMMARY),
    "Schedule": asked({"scheduled_at": MOMENT}),
    "Rate": asked({"rate_limit_per_second": 500}),
    "Sent": answered(
        {
            "campaign_id": 7,
            "task_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
            "status": "processing",
            "priority": "high",
            "queue": "high_priority",
        }
    ),
    "Stats": answered(_STATS),
    "Trial": asked({"user_ids": ["ann"]}),
    "TrialAnswer": answered(
        {
            "results": [
                {
                    "device_id": 42,
                    "user_id": "ann",
                    "platform": "android",
                    "project": "shop-prod",
                    "status": "success",
                    "error": "",
                    "detail": "",
                    "message_id": "projects/shop-prod/messages/0:1700000000000000%abc",
                }
            ]
        }
    ),
    "PreviewAnswer": answered(
        {
            "platforms": [
                {
                    "platform": "android",
                    "request": {
                        "message": {
                            "token": "<address>",
                            "notification": {"title": "Sale", "body": "Half price today."},
                        }
                    },
                    "size_bytes": 241,
                    "limit_bytes": 4_096,
                }
            ]
        }
    ),
    "Estimate": answered(
        {
            "total": 1_000_000,
            "platforms": {"android": 700_000, "ios": 290_000, "web": 10_000},
            "stale": 31_000,
            "stale_share": 0.031,
            "is_exact": True,
            "seconds_to_finish": 111.2,
            "projects": [
                {
                    "project_id": "shop-prod",
                    "devices": 1_000_000,
                    "quota_per_minute": 600_000,
                    "messages_per_second": 9_000.0,
                    "blocked_for_s": 0.0,
                    "seconds": 111.2,
                }
            ],
        }
    ),
    "DeliveryPage": answered(
        {
            "next": "https://push.example.com/api/campaigns/7/deliveries/?cursor=1.0.100",
            "results": [
                {
                    "device_id": 42,
                    "user_id": "ann",
                    "platform": "android",
                    "status": "success",
                    "error": "",
                    "detail": "",
                    "message_id": "projects/shop-prod/messages/0:1700000000000000%abc",
                    "sent_at": MOMENT,
                }
            ],
        }
    ),
}
"""By the component's name, `request` and `response`."""
