"""What the SDK is given says the same as what we would have sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from firebase_admin import messaging

from pushcore.messages import AddressKind, Content, Platform, Priority, Template
from pushcore.transports.sdk_message import sdk_message

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

OVERRIDES: dict[str, dict[str, Any]] = {
    "android": {
        "restricted_package_name": "com.example.app",
        "notification": {
            "channel_id": "news",
            "color": "#00FF00",
            "notification_priority": "PRIORITY_HIGH",
            "visibility": "PUBLIC",
            "event_time": "2026-01-02T03:04:05.000000Z",
            "vibrate_timings": ["0.500000000s", "1s"],
        },
        "fcm_options": {"analytics_label": "label"},
    },
    "apns": {
        "payload": {
            "aps": {
                "badge": 3,
                "sound": {"name": "bell", "critical": 1, "volume": 0.5},
                "thread-id": "news",
                "alert": {"title": "T", "subtitle": "S", "loc-key": "K"},
                "interruption-level": "active",
            },
            "own": {"key": 1},
        },
    },
    "webpush": {
        "headers": {"Topic": "news"},
        "notification": {
            "requireInteraction": True,
            "dir": "ltr",
            "actions": [{"action": "open", "title": "Open"}],
            "own": "field",
        },
    },
}


def lowered(message: dict[str, Any]) -> dict[str, Any]:
    """The SDK writes Android's priority in small letters; FCM takes both."""
    if "android" in message:
        message["android"]["priority"] = message["android"]["priority"].lower()
    return message


def encoded(message: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = messaging._MessagingService.encode_message(sdk_message(message))
    return found


@pytest.mark.parametrize("platform", list(Platform))
@pytest.mark.parametrize("kind", list(AddressKind))
@pytest.mark.parametrize("overrides", [{}, OVERRIDES], ids=["plain", "overrides"])
def test_a_rendered_message_survives_the_sdk_unchanged(
    platform: Platform, kind: AddressKind, overrides: dict[str, dict[str, Any]]
) -> None:
    content = Content(
        campaign_id=7,
        title="Title",
        body="Body",
        image_url="https://example.com/i.png",
        link_url="https://example.com/",
        data={"key": "value"},
        priority=Priority.HIGH,
        time_to_live_s=3600,
        platform_overrides=overrides,
        analytics_label="launch",
    )
    variant = Template(content, now=NOW).variant_for(platform, kind)
    message = orjson.loads(variant.render("address", 42))["message"]
    assert encoded(message) == lowered(message)


@pytest.mark.parametrize(
    "message",
    [
        {"token": "t", "unheard_of": 1},
        {"token": "t", "android": {"unheard_of": 1}},
        {"token": "t", "android": {"notification": {"light_settings": {}}}},
    ],
)
def test_what_the_sdk_cannot_express_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"firebase-admin cannot express|not converted"):
        sdk_message(message)
