"""`ETag` of campaigns; what holds of tags anywhere: `tests/devices/api/test_versions.py`."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from campaigns.models import PushCampaign
from tests.cast import make_campaign, planned

pytestmark = pytest.mark.django_db


def path_of(campaign: PushCampaign) -> str:
    return f"/api/campaigns/{campaign.pk}/"


@pytest.mark.parametrize("method", ["patch", "put", "delete"])
def test_whoever_read_it_before_the_change_overwrites_nothing(
    staff: APIClient, method: str
) -> None:
    campaign = make_campaign()
    tag = staff.get(path_of(campaign))["ETag"]
    staff.patch(path_of(campaign), {"title": "Last call"}, format="json")
    body = {"title": "Sale", "message": "Over.", "target_all": True}
    answer = getattr(staff, method)(
        path_of(campaign), body, format="json", headers={"If-Match": tag}
    )
    campaign.refresh_from_db()
    assert (answer.status_code, campaign.title) == (412, "Last call")


@pytest.mark.parametrize("method", ["patch", "put", "delete"])
def test_whoever_read_it_as_it_stands_changes_it(staff: APIClient, method: str) -> None:
    campaign = make_campaign()
    body: dict[str, Any] = {"title": "Sale", "message": "Over.", "target_all": True}
    tag = staff.get(path_of(campaign))["ETag"]
    answer = getattr(staff, method)(
        path_of(campaign), body, format="json", headers={"If-Match": tag}
    )
    assert answer.status_code == (204 if method == "delete" else 200)


def test_the_tag_of_a_new_campaign_is_that_of_reading_it(staff: APIClient) -> None:
    body = {"title": "Sale", "message": "Over.", "target_all": True}
    created = staff.post("/api/campaigns/", body, format="json")
    assert created["ETag"] == staff.get(f"/api/campaigns/{created.json()['id']}/")["ETag"]


def test_counters_are_news_to_a_reader_but_no_other_version(staff: APIClient) -> None:
    campaign, _ = planned(3)
    before = staff.get(path_of(campaign))["ETag"]
    PushCampaign.objects.update(sent_count=1, success_count=1)
    after = staff.get(path_of(campaign))["ETag"]
    assert before.partition(".")[0] == after.partition(".")[0]
    assert before != after
