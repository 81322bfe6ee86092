from __future__ import annotations

import json

import pytest

from campaigns.preview import preview_of
from pushcore.validation import largest_size_bytes
from tests.cast import NOW, make_campaign, seconds_later

pytestmark = pytest.mark.django_db


def test_each_platform_is_shown_as_it_is_sent() -> None:
    campaign = make_campaign(
        priority="high",
        link_url="https://shop.example/",
        data_payload={"sku": "1"},
        time_to_live_s=60,
    )
    shown = {one.platform: one.request["message"] for one in preview_of(campaign, now=NOW)}
    tag = f"pushcore-{campaign.pk}"
    common = {
        "token": "<address>",
        "notification": {"title": "Sale", "body": "Half price today."},
        "data": {
            "pushcore_id": f"{campaign.pk}.0",
            "sku": "1",
            "link": "https://shop.example/",
        },
    }
    assert shown == {
        "android": common
        | {"android": {"priority": "HIGH", "ttl": "60s", "notification": {"tag": tag}}},
        "ios": common
        | {
            "apns": {
                "headers": {
                    "apns-priority": "10",
                    "apns-expiration": str(int(NOW.timestamp()) + 60),
                    "apns-collapse-id": tag,
                }
            }
        },
        "web": common
        | {
            "webpush": {
                "headers": {"Urgency": "high", "TTL": "60"},
                "fcm_options": {"link": "https://shop.example/"},
                "notification": {"tag": tag},
            }
        },
    }


def test_sizes_are_those_that_are_held_against_the_limit() -> None:
    campaign = make_campaign(title="Распродажа 🎉")
    shown = preview_of(campaign, now=NOW)
    assert max(one.size_bytes for one in shown) == largest_size_bytes(campaign.content(), now=NOW)
    assert {one.limit_bytes for one in shown} == {4_096}
    for one in shown:
        message = {key: value for key, value in one.request["message"].items() if key != "token"}
        written = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
        assert one.size_bytes == len(written) + len("9" * 19) - len("0")


def test_a_scheduled_one_is_shown_as_of_its_moment() -> None:
    campaign = make_campaign(scheduled_at=seconds_later(100), expires_at=seconds_later(130))
    [android, *_] = preview_of(campaign, now=NOW)
    assert android.request["message"]["android"]["ttl"] == "30s"
