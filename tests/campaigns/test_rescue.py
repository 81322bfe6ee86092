from __future__ import annotations

from datetime import datetime

import pytest
from pytest_django import Settings

from campaigns import dispatch, rescue, transitions
from campaigns.entry import Waiting
from campaigns.ledger import settle_held_batch
from campaigns.models import DeliveryBatch, Lane, PushCampaign
from campaigns.planner import open_lanes, plan_next_slice
from campaigns.states import BatchState, Move
from pushcore.outcomes import Outcome
from tests.campaigns.conftest import Broker, Published, send_of
from tests.cast import (
    LEASE_S,
    NOW,
    TASK_ID,
    account,
    claim,
    make_campaign,
    make_devices,
    make_project,
    planned,
    reloaded,
    rescue_after,
    seconds_later,
    settle_all,
    start_and_plan,
    status_of,
    told_of,
)
from tests.concurrency import run_at_once

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("batches_of_two")]


@pytest.mark.django_db(transaction=True)
def test_rescues_at_once_do_everything_once(broker: Broker) -> None:
    campaign, batches = planned(6, guarantee="at_most_once")
    for batch in batches:
        claim(batch)
    run_at_once(4, lambda: rescue_after(LEASE_S))
    assert account(campaign) == {"total_recipients": 6, "sent_count": 6, "unknown_count": 6}
    assert [reloaded(batch).crashes for batch in batches] == [1, 1, 1]
    assert status_of(campaign) == "completed"
    assert told_of(campaign) == ["campaign.completed"]
    assert broker.take_all("default") == []


@pytest.mark.django_db(transaction=True)
def test_rescues_at_once_publish_a_lost_message_once(broker: Broker) -> None:
    _, [batch] = planned(2)
    rescue_after(0)
    broker.lose_everything()
    run_at_once(4, lambda: rescue_after(10))
    assert broker.take_all("default") == [send_of(batch)]


@pytest.mark.django_db(transaction=True)
def test_rescues_at_once_publish_a_due_retry_once(broker: Broker) -> None:
    _, [batch] = planned(2)
    DeliveryBatch.objects.update(retry_at=seconds_later(5))
    run_at_once(4, lambda: rescue_after(5))
    assert broker.take_all("default") == [send_of(batch)]


def test_messages_lost_by_the_broker_are_published_again_within_15_s(broker: Broker) -> None:
    _, batches = planned(4)
    rescue_after(0)
    assert broker.take_all("default") == [send_of(batch) for batch in batches]
    rescue_after(5)
    assert broker.take_all("default") == []
    rescue_after(10)
    assert broker.take_all("default") == [send_of(batch) for batch in batches]


def test_retries_are_published_when_they_are_due(broker: Broker) -> None:
    _, [batch] = planned(2)
    entry = claim(batch)
    due = seconds_later(20).timestamp()
    entry.settle_device(0, Outcome.SUCCESS)
    entry.retries[1] = Waiting(1, True, NOW.timestamp(), due, "UNAVAILABLE")
    assert settle_held_batch(entry, now=NOW)
    rescue_after(15)
    assert broker.take_all("default") == []
    rescue_after(20)
    assert broker.take_all("default") == [send_of(batch)]


def test_a_campaign_whose_callback_was_lost_goes_on_with_its_next_wave(
    broker: Broker, settings: Settings
) -> None:
    settings.WAVE_BATCHES = 1
    _, [first, second] = planned(4)
    settle_all(first, Outcome.SUCCESS)
    rescue_after(0)
    assert broker.take_all("default") == [send_of(second)]


def test_a_campaign_whose_last_callback_was_lost_completes(broker: Broker) -> None:
    campaign, [batch] = planned(2)
    settle_all(batch, Outcome.SUCCESS)
    rescue_after(1)
    assert status_of(campaign) == "completed"
    rescue_after(2)
    assert told_of(campaign) == ["campaign.completed"]
    assert broker.take_all("default") == []


def started(devices: int) -> PushCampaign:
    """Start a campaign of which nothing has been planned."""
    make_devices(make_project(), devices)
    campaign = make_campaign()
    transitions.start(campaign_id=campaign.pk, task_id=TASK_ID, now=NOW)
    open_lanes(campaign=campaign, now=NOW)
    return campaign


def test_a_plan_that_never_began_is_asked_for_again(broker: Broker) -> None:
    campaign = started(3)
    rescue_after(9)
    assert broker.take_all("default") == []
    rescue_after(10)
    assert broker.take_all("default") == [Published("execute_push_campaign", [campaign.pk])]


def test_a_plan_that_stopped_halfway_is_resumed_however_often_somebody_looks(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("campaigns.planner.FIRST_SLICE_BATCHES", 1)
    campaign = started(6)
    lane = Lane.objects.get(campaign=campaign)
    plan_next_slice(campaign=campaign, lane_id=lane.pk, now=NOW)
    [batch] = DeliveryBatch.objects.all()
    settle_all(batch, Outcome.SUCCESS)
    for seconds in (0, 5, 10):
        rescue_after(seconds)
    assert broker.take_all("default") == [Published("execute_push_campaign", [campaign.pk])]
    assert status_of(campaign) == "processing"


def test_a_plan_is_not_asked_for_again_by_every_look(broker: Broker) -> None:
    """A planner that waits in a long queue is not joined by a copy every few seconds."""
    started(3)
    for seconds in range(0, 65, 5):
        rescue_after(seconds)
    assert len(broker.take_all("default")) <= 7


def test_a_campaign_held_up_by_a_refused_project_pauses_when_the_rest_is_done(
    broker: Broker,
) -> None:
    make_devices(make_project(), 2)
    make_devices(make_project(), 2)
    campaign = make_campaign()
    refused, other = start_and_plan(campaign)
    transitions.halt_lane(
        campaign_id=campaign.pk, project_id=refused.project_id, reason="API disabled"
    )
    settle_all(other, Outcome.SUCCESS)
    rescue_after(5)
    assert status_of(campaign) == "paused"
    assert campaign.status_reason == "API disabled"


@pytest.mark.parametrize("move", [Move.CANCEL, Move.FAIL])
def test_what_a_stopped_campaign_left_is_closed(broker: Broker, move: Move) -> None:
    """Whoever stopped it was killed before everything was skipped."""
    campaign, [untried, tried] = planned(4)
    entry = claim(tried)
    entry.retries[0] = Waiting(1, True, NOW.timestamp(), NOW.timestamp(), "TIMEOUT")
    assert settle_held_batch(entry, now=NOW)
    transitions.move_campaign(campaign_id=campaign.pk, move=move)
    rescue_after(1)
    assert reloaded(untried).outcomes == [Outcome.SKIPPED, Outcome.SKIPPED]
    assert reloaded(tried).outcomes == [Outcome.UNKNOWN, Outcome.SKIPPED]
    assert account(campaign) == {
        "total_recipients": 4,
        "sent_count": 1,
        "unknown_count": 1,
        "skipped_count": 3,
    }
    assert broker.take_all("default") == []


def test_a_stopped_campaign_larger_than_one_sweep_is_closed_whole(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescue, "SWEEP_BATCHES", 2)
    campaign, _ = planned(11)
    transitions.move_campaign(campaign_id=campaign.pk, move=Move.CANCEL)
    rescue_after(1)
    assert account(campaign) == {"total_recipients": 11, "skipped_count": 11}


@pytest.mark.django_db(transaction=True)
def test_sweeps_at_once_skip_each_device_once(broker: Broker) -> None:
    campaign, _ = planned(12)
    transitions.move_campaign(campaign_id=campaign.pk, move=Move.CANCEL)
    run_at_once(4, lambda: rescue.close_stopped_campaign(campaign_id=campaign.pk, now=NOW))
    assert account(campaign) == {"total_recipients": 12, "skipped_count": 12}


@pytest.mark.parametrize("paused", [False, True])
def test_a_campaign_past_its_expiry_is_cancelled_and_the_rest_skipped(
    broker: Broker, paused: bool
) -> None:
    campaign, [batch, _] = planned(4, expires_at=seconds_later(60))
    settle_all(batch, Outcome.SUCCESS)
    if paused:
        transitions.move_campaign(campaign_id=campaign.pk, move=Move.PAUSE)
    rescue_after(60)
    assert status_of(campaign) == "cancelled"
    assert campaign.status_reason == "expired before everybody was sent to"
    assert account(campaign) == {
        "total_recipients": 4,
        "sent_count": 2,
        "success_count": 2,
        "skipped_count": 2,
    }


def test_a_campaign_that_is_all_settled_when_it_expires_is_completed(broker: Broker) -> None:
    campaign, [batch] = planned(2, expires_at=seconds_later(60))
    settle_all(batch, Outcome.SUCCESS)
    rescue_after(60)
    assert status_of(campaign) == "completed"


def test_a_paused_campaign_is_left_alone(broker: Broker) -> None:
    campaign, [batch] = planned(2)
    transitions.move_campaign(campaign_id=campaign.pk, move=Move.PAUSE)
    rescue_after(9_999)
    assert broker.take_all("default") == []
    assert (status_of(campaign), reloaded(batch).state) == ("paused", BatchState.PENDING)


def test_a_campaign_that_cannot_be_rescued_does_not_keep_others_from_it(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, _ = planned(2)
    second = make_campaign(priority="high")
    start_and_plan(second)
    real = dispatch.dispatch_next_wave

    def fail_for_first(*, campaign: PushCampaign, lane_id: int, now: datetime) -> int:
        if campaign == first:
            raise ArithmeticError
        return real(campaign=campaign, lane_id=lane_id, now=now)

    monkeypatch.setattr(dispatch, "dispatch_next_wave", fail_for_first)
    rescue_after(0)
    assert len(broker.take_all("high_priority")) == 1
    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.getMessage().startswith("The rescue failed in rescue_campaign")
