"""What is written down, and when: together with the move, or not at all."""

from __future__ import annotations

import pytest
from django.db import transaction

from campaigns import services, transitions
from campaigns.models import PushCampaign
from campaigns.notifications.models import Delivery, Event, Notice
from campaigns.states import Move
from pushcore.outcomes import Outcome
from tests.campaigns.notifications.stage import mail_channel
from tests.cast import NOW, make_campaign, planned, settle_all, told_of
from tests.concurrency import run_at_once

pytestmark = pytest.mark.django_db


def test_a_completed_campaign_is_told_with_its_account() -> None:
    channel = mail_channel()
    campaign, [batch] = planned(2, title="Sale")
    settle_all(batch, Outcome.SUCCESS)
    assert transitions.complete_if_settled(campaign_id=campaign.pk, now=NOW)
    notice = Notice.objects.get()
    assert notice.account == {
        "campaign_id": campaign.pk,
        "title": "Sale",
        "status": "completed",
        "status_reason": "",
        "priority": "normal",
        "total_recipients": 2,
        "sent": 2,
        "success": 2,
        "failure": 0,
        "invalid": 0,
        "unknown": 0,
        "skipped": 0,
        "remaining": 0,
        "started_at": "2026-03-01T12:00:00Z",
        "completed_at": "2026-03-01T12:00:00Z",
    }
    told = Delivery.objects.get()
    assert (told.notice, told.channel, told.state) == (notice, channel, "pending")


def test_a_failed_campaign_is_told_with_its_reason() -> None:
    campaign, _ = planned(2)
    assert transitions.fail_if_running(campaign_id=campaign.pk, reason="bad image", now=NOW)
    [notice] = Notice.objects.all()
    assert (notice.event, notice.account["status_reason"]) == ("campaign.failed", "bad image")


def test_a_pause_by_a_breaker_is_told_once() -> None:
    campaign, [batch] = planned(2)
    transitions.halt_project(project_id=batch.project_id, reason="no permission")
    transitions.pause_if_held_up(campaign_id=campaign.pk)
    [notice] = Notice.objects.all()
    assert (notice.event, notice.account["status_reason"]) == ("campaign.paused", "no permission")


def test_who_pauses_or_cancels_by_hand_is_not_told_so() -> None:
    campaign, _ = planned(2)
    transitions.move_campaign(campaign_id=campaign.pk, move=Move.PAUSE)
    services.cancel_campaign(campaign_id=campaign.pk, now=NOW)
    assert told_of(campaign) == []


def test_a_campaign_whose_time_is_over_is_told() -> None:
    campaign, _ = planned(2, expires_at=NOW)
    assert transitions.cancel_if_expired(campaign_id=campaign.pk, now=NOW)
    [notice] = Notice.objects.all()
    assert (notice.event, notice.account["remaining"]) == ("campaign.expired", 2)


def test_a_campaign_that_our_own_code_fails_over_is_told_with_the_error() -> None:
    campaign, _ = planned(2)
    for _ in range(transitions.MAX_ENGINE_FAILURES):
        transitions.pause_if_stuck(campaign_id=campaign.pk, failure="KeyError: 'x'")
    [notice] = Notice.objects.all()
    assert (notice.event, notice.account["status_reason"]) == (
        "campaign.paused",
        "our own code failed 5 times: KeyError: 'x'",
    )


def test_a_campaign_that_completes_twice_is_told_twice() -> None:
    campaign, [batch] = planned(1)
    settle_all(batch, Outcome.FAILED)
    transitions.complete_if_settled(campaign_id=campaign.pk, now=NOW)
    services.retry_failed(campaign_id=campaign.pk)
    settle_all(batch, Outcome.SUCCESS)
    transitions.complete_if_settled(campaign_id=campaign.pk, now=NOW)
    assert told_of(campaign) == ["campaign.completed", "campaign.completed"]


def test_what_is_taken_back_is_not_told() -> None:
    campaign, _ = planned(2)
    with transaction.atomic():
        transitions.fail_if_running(campaign_id=campaign.pk, reason="bad", now=NOW)
        transaction.set_rollback(True)
    assert told_of(campaign) == []


def test_a_move_that_is_not_made_is_not_told() -> None:
    campaign = make_campaign()
    assert not transitions.fail_if_running(campaign_id=campaign.pk, reason="bad", now=NOW)
    assert told_of(campaign) == []


def test_only_channels_that_want_it_are_told() -> None:
    wants = mail_channel("a@example.com", events=["campaign.failed", "campaign.completed"])
    mail_channel("b@example.com", events=["campaign.paused"])
    off = mail_channel("c@example.com")
    type(off).objects.filter(pk=off.pk).update(is_active=False, disabled_reason="by hand")
    campaign, _ = planned(2)
    transitions.fail_if_running(campaign_id=campaign.pk, reason="bad", now=NOW)
    assert [told.channel for told in Delivery.objects.all()] == [wants]


@pytest.mark.django_db(transaction=True)
def test_of_many_that_complete_it_at_once_one_tells() -> None:
    mail_channel()
    campaign, [batch] = planned(2)
    settle_all(batch, Outcome.SUCCESS)
    done = run_at_once(8, lambda: transitions.complete_if_settled(campaign_id=campaign.pk, now=NOW))
    assert sorted(done) == [False] * 7 + [True]
    assert (Notice.objects.count(), Delivery.objects.count()) == (1, 1)
    assert PushCampaign.objects.get().notices.get().event == Event.COMPLETED
