"""Test messages, previews and estimates over HTTP; what they say: `test_trial`, `test_preview`."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.cast import make_campaign, make_devices, make_project, status_of

pytestmark = pytest.mark.django_db


def post(client: APIClient, key: int, **body: Any) -> tuple[int, Any]:
    answer = client.post(f"/api/campaigns/{key}/test/", body, format="json")
    return answer.status_code, answer.json()


def test_a_test_answers_what_became_of_each_device(staff: APIClient) -> None:
    campaign = make_campaign()
    # A key that is not there: enough to be told of each device without a provider.
    [device] = make_devices(make_project(credentials="file:/nowhere/key.json"), 1)
    status, answer = post(staff, campaign.pk, device_ids=[device.pk])
    [result] = answer["results"]
    assert (status, list(answer)) == (200, ["results"])
    assert list(result) == [
        "device_id",
        "user_id",
        "platform",
        "project",
        "status",
        "error",
        "detail",
        "message_id",
    ]
    assert (result["device_id"], result["status"]) == (device.pk, "skipped")
    assert status_of(campaign) == "draft"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "device_ids"),
        ({"device_ids": [7]}, "device_ids"),
        ({"device_ids": list(range(1, 102))}, "device_ids"),
        ({"device_ids": ["x"]}, "device_ids"),
        ({"device_ids": [0]}, "device_ids"),
        ({"device_ids": [2**63]}, "device_ids"),
        ({"user_ids": ["nobody"]}, "user_ids"),
        ({"user_ids": ["a\0b"]}, "user_ids"),
        ({"user_ids": [str(number) for number in range(101)]}, "user_ids"),
    ],
)
def test_a_test_for_nobody_or_too_many_is_refused_by_name(
    staff: APIClient, body: dict[str, Any], named: str
) -> None:
    status, answer = post(staff, make_campaign().pk, **body)
    assert (status, named in str(answer)) == (400, True)


def test_a_preview_shows_every_platform_with_its_size(staff: APIClient) -> None:
    answer = staff.get(f"/api/campaigns/{make_campaign().pk}/preview/")
    platforms = answer.json()["platforms"]
    assert [one["platform"] for one in platforms] == ["android", "ios", "web"]
    assert [list(one) for one in platforms] == [
        ["platform", "request", "size_bytes", "limit_bytes"]
    ] * 3
    assert platforms[0]["request"]["message"]["token"] == "<address>"


def test_an_estimate_has_exactly_these_keys(staff: APIClient) -> None:
    make_devices(make_project(), 3)
    answer = staff.get(f"/api/campaigns/{make_campaign().pk}/estimate/").json()
    assert list(answer) == [
        "total",
        "platforms",
        "stale",
        "stale_share",
        "is_exact",
        "seconds_to_finish",
        "projects",
    ]
    assert list(answer["projects"][0]) == [
        "project_id",
        "devices",
        "quota_per_minute",
        "messages_per_second",
        "blocked_for_s",
        "seconds",
    ]
    assert (answer["total"], answer["platforms"]) == (3, {"android": 3, "ios": 0, "web": 0})


def test_what_is_not_there_is_404(staff: APIClient) -> None:
    assert post(staff, 7, device_ids=[1])[0] == 404
    for path in ("preview", "estimate"):
        assert staff.get(f"/api/campaigns/7/{path}/").status_code == 404
