from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks
from rest_framework.test import APIClient

from campaigns.models import PushCampaign
from campaigns.states import MOVES, CampaignStatus, Move
from pushcore.outcomes import Outcome
from tests.answers import complaints_in, error_in
from tests.campaigns.conftest import Broker, Published
from tests.cast import (
    account,
    make_campaign,
    make_devices,
    make_project,
    settle_all,
    start_and_plan,
)

pytestmark = pytest.mark.django_db

ACTIONS = [Move.SEND, Move.PAUSE, Move.RESUME, Move.CANCEL, Move.RETRY_FAILED]
ALLOWED = {
    "draft": ["cancel", "schedule", "send"],
    "scheduled": ["cancel", "schedule", "send", "unschedule"],
    "processing": ["cancel", "pause"],
    "paused": ["cancel", "resume"],
    "completed": ["retry-failed"],
    "cancelled": [],
    "failed": [],
}


def act(client: APIClient, campaign: PushCampaign, action: str) -> tuple[int, Any]:
    answer = client.post(f"/api/campaigns/{campaign.pk}/{action}/")
    campaign.refresh_from_db()
    return answer.status_code, answer.json()


def running_campaign(devices: int = 3) -> PushCampaign:
    make_devices(make_project(), devices)
    campaign = make_campaign()
    start_and_plan(campaign)
    return campaign


@pytest.mark.parametrize(
    ("priority", "queue"),
    [("high", "high_priority"), ("normal", "default"), ("low", "low_priority")],
)
def test_sending_answers_at_once_with_where_it_went(
    staff: APIClient,
    broker: Broker,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    priority: str,
    queue: str,
) -> None:
    campaign = make_campaign(priority=priority)
    with django_capture_on_commit_callbacks(execute=True):
        status, answer = act(staff, campaign, "send")
    assert status == 202
    assert UUID(answer.pop("task_id")) == campaign.task_id
    assert answer == {
        "campaign_id": campaign.pk,
        "status": "processing",
        "priority": priority,
        "queue": queue,
    }
    assert broker.take_all(queue) == [Published("execute_push_campaign", [campaign.pk])]


def test_sending_twice_is_a_conflict_that_names_what_can_be_done(
    staff: APIClient,
    broker: Broker,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    campaign = make_campaign()
    with django_capture_on_commit_callbacks(execute=True):
        act(staff, campaign, "send")
        first_task = campaign.task_id
        status, answer = act(staff, campaign, "send")
    assert (status, campaign.task_id) == (409, first_task)
    del answer["request_id"]
    assert answer == {
        "type": "client_error",
        "errors": [
            {
                "code": "illegal_move",
                "detail": "Cannot send a campaign that is processing; allowed now: cancel, pause.",
                "attr": None,
            }
        ],
        "campaign_status": "processing",
        "allowed_moves": ["cancel", "pause"],
    }
    assert len(broker.take_all("default")) == 1


@pytest.mark.parametrize(
    ("action", "status"),
    [
        (action, status)
        for action in ACTIONS
        for status in CampaignStatus
        if status not in MOVES[action][0]
    ],
)
def test_an_action_that_the_status_forbids_is_a_conflict(
    staff: APIClient, action: Move, status: CampaignStatus
) -> None:
    campaign = make_campaign()
    PushCampaign.objects.filter(pk=campaign.pk).update(status=status)
    code, answer = act(staff, campaign, action)
    assert (code, answer["campaign_status"], answer["allowed_moves"]) == (
        409,
        status,
        ALLOWED[status],
    )
    assert campaign.status == status


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_on_what_is_not_there_is_404(staff: APIClient, action: Move) -> None:
    answer = staff.post(f"/api/campaigns/0/{action}/")
    assert answer.status_code == 404
    assert error_in(answer.json()) == ("not_found", "There is no such campaign.")


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_is_not_taken_by_looking_at_it(staff: APIClient, action: Move) -> None:
    campaign = make_campaign()
    answer = staff.get(f"/api/campaigns/{campaign.pk}/{action}/")
    campaign.refresh_from_db()
    assert (answer.status_code, campaign.status) == (405, "draft")


@pytest.mark.parametrize("action", [*ACTIONS, "unschedule", "duplicate"])
def test_an_action_that_takes_nothing_refuses_what_it_would_not_hear(
    staff: APIClient, action: str
) -> None:
    campaign = make_campaign()
    for key in ({}, {"Idempotency-Key": "once"}):
        answer = staff.post(
            f"/api/campaigns/{campaign.pk}/{action}/", {"user_ids": ["me"]}, "json", headers=key
        )
        complaints = complaints_in(answer.json())
        assert (answer.status_code, complaints) == (400, {"user_ids": ["There is no such field."]})
    campaign.refresh_from_db()
    assert (campaign.status, PushCampaign.objects.count()) == ("draft", 1)


def test_pausing_and_resuming_answer_with_the_campaign(staff: APIClient) -> None:
    campaign = running_campaign()
    status, paused = act(staff, campaign, "pause")
    assert (status, paused["status"], paused["status_reason"]) == (200, "paused", "paused by hand")
    assert paused["allowed_moves"] == ["cancel", "resume"]
    status, resumed = act(staff, campaign, "resume")
    assert (status, resumed["status"], resumed["status_reason"]) == (200, "processing", "")


def test_cancelling_skips_everybody_who_was_not_sent_to(staff: APIClient) -> None:
    campaign = running_campaign(devices=3)
    status, answer = act(staff, campaign, "cancel")
    assert (status, answer["status"], answer["skipped_count"]) == (200, "cancelled", 3)
    assert account(campaign) == {"total_recipients": 3, "skipped_count": 3}


def test_retrying_takes_back_what_failed(staff: APIClient) -> None:
    make_devices(make_project(), 3)
    campaign = make_campaign()
    [batch] = start_and_plan(campaign)
    settle_all(batch, Outcome.FAILED)
    PushCampaign.objects.update(status="completed")
    status, answer = act(staff, campaign, "retry-failed")
    assert (status, answer["status"], answer["failure_count"]) == (200, "processing", 0)
    assert campaign.remaining_count == 3


def test_retrying_where_nothing_failed_is_a_conflict(staff: APIClient) -> None:
    make_devices(make_project(), 3)
    campaign = make_campaign()
    [batch] = start_and_plan(campaign)
    settle_all(batch, Outcome.SUCCESS)
    PushCampaign.objects.update(status="completed")
    status, answer = act(staff, campaign, "retry-failed")
    assert (status, answer["campaign_status"], answer["allowed_moves"]) == (409, "completed", [])
    assert error_in(answer) == (
        "illegal_move",
        "There is nothing to retry: no device failed, dead addresses aside.",
    )
    assert campaign.status == "completed"


def test_sending_what_the_provider_would_refuse_names_the_field(staff: APIClient) -> None:
    campaign = make_campaign(data_payload={"from": "us"})
    status, answer = act(staff, campaign, "send")
    assert (status, list(complaints_in(answer)), campaign.status) == (
        400,
        ["data_payload.from"],
        "draft",
    )
