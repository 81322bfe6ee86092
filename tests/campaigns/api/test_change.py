"""Changing, copying and throwing away over HTTP; the rules themselves: `test_drafts`."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from campaigns.models import PushCampaign
from tests.answers import complaints_in
from tests.cast import make_campaign, planned, status_of

pytestmark = pytest.mark.django_db


def patch(client: APIClient, campaign: PushCampaign, **fields: Any) -> tuple[int, Any]:
    answer = client.patch(f"/api/campaigns/{campaign.pk}/", fields, format="json")
    return answer.status_code, answer.json()


def test_a_draft_is_changed_field_by_field(staff: APIClient) -> None:
    campaign = make_campaign(data_payload={"sku": "1"})
    status, answer = patch(staff, campaign, title="Last call", priority="high")
    campaign.refresh_from_db()
    assert (status, answer["title"], answer["data_payload"]) == (200, "Last call", {"sku": "1"})
    assert (campaign.title, campaign.priority) == ("Last call", "high")


def test_from_everybody_to_some_takes_saying_so(staff: APIClient) -> None:
    campaign = make_campaign()
    status, answer = patch(staff, campaign, target_user_ids=["ann"])
    assert (status, list(complaints_in(answer))) == (400, ["target_user_ids"])
    status, answer = patch(staff, campaign, target_user_ids=["ann"], target_all=False)
    assert (status, answer["target_user_ids"], answer["target_user_count"]) == (200, ["ann"], 1)


def test_a_campaign_that_is_being_sent_is_not_changed(staff: APIClient) -> None:
    campaign, _ = planned(1)
    status, answer = patch(staff, campaign, title="Last call")
    campaign.refresh_from_db()
    assert (status, campaign.title) == (409, "Sale")
    assert "Cannot change a campaign that is processing" in str(answer)


def test_a_change_that_could_not_be_sent_names_the_field(staff: APIClient) -> None:
    campaign = make_campaign()
    status, answer = patch(staff, campaign, image_url="http://plain.example/x.png")
    campaign.refresh_from_db()
    assert (status, list(complaints_in(answer)), campaign.image_url) == (400, ["image_url"], "")


def test_neither_status_nor_account_nor_author_can_be_written(staff: APIClient) -> None:
    campaign = make_campaign()
    before = PushCampaign.objects.filter(pk=campaign.pk).values().get()
    fields = {"status": "completed", "sent_count": 7, "created_by": 1, "scheduled_at": "2099"}
    status, answer = patch(staff, campaign, **fields)
    assert (status, sorted(complaints_in(answer))) == (400, sorted(fields))
    assert PushCampaign.objects.filter(pk=campaign.pk).values().get() == before


def test_a_draft_is_written_anew(staff: APIClient) -> None:
    campaign = make_campaign(priority="high", target_all=False, target_user_ids=["ann"])
    body = {"title": "Sale", "message": "Over.", "target_all": True}
    answer = staff.put(f"/api/campaigns/{campaign.pk}/", body, format="json")
    campaign.refresh_from_db()
    assert (answer.status_code, answer.json()["message"]) == (200, "Over.")
    assert (campaign.priority, campaign.target_user_ids) == ("normal", [])


def test_writing_anew_asks_for_the_audience_again(staff: APIClient) -> None:
    campaign = make_campaign()
    body = {"title": "Sale", "message": "Over."}
    answer = staff.put(f"/api/campaigns/{campaign.pk}/", body, format="json")
    assert (answer.status_code, list(complaints_in(answer.json()))) == (400, ["target_all"])


def test_a_draft_is_deleted(staff: APIClient) -> None:
    campaign = make_campaign()
    assert staff.delete(f"/api/campaigns/{campaign.pk}/").status_code == 204
    assert staff.delete(f"/api/campaigns/{campaign.pk}/").status_code == 404
    assert not PushCampaign.objects.exists()


def test_a_campaign_that_was_started_is_not_deleted(staff: APIClient) -> None:
    campaign, _ = planned(1)
    assert staff.delete(f"/api/campaigns/{campaign.pk}/").status_code == 409
    assert status_of(campaign) == "processing"


def test_a_copy_belongs_to_who_asked_for_it(staff: APIClient, staff_user: User) -> None:
    campaign, _ = planned(1)
    answer = staff.post(f"/api/campaigns/{campaign.pk}/duplicate/")
    copy = PushCampaign.objects.exclude(pk=campaign.pk).get()
    assert (answer.status_code, answer.json()["id"]) == (201, copy.pk)
    assert (copy.status, copy.created_by, copy.title) == ("draft", staff_user, "Sale")


@pytest.mark.parametrize(
    ("method", "path"), [("patch", ""), ("put", ""), ("delete", ""), ("post", "duplicate/")]
)
def test_what_is_not_there_is_404(staff: APIClient, method: str, path: str) -> None:
    body = {} if path else {"title": "Sale", "message": "x", "target_all": True}
    answer = getattr(staff, method)(f"/api/campaigns/7/{path}", body, format="json")
    assert (answer.status_code, PushCampaign.objects.count()) == (404, 0)
