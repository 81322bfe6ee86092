from __future__ import annotations

import pytest
from kombu.exceptions import OperationalError
from pytest_django import Settings

from campaigns import dispatch, transitions
from campaigns.models import DeliveryBatch, Lane, PushCampaign
from campaigns.states import Move
from pushcore.outcomes import Outcome
from settings.celery import app
from tests.campaigns.conftest import Broker, Published, send_of
from tests.cast import (
    LEASE_S,
    NOW,
    claim,
    make_campaign,
    make_devices,
    make_project,
    seconds_later,
    settle_all,
    start_and_plan,
    told_of,
)
from tests.concurrency import run_at_once

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def single_devices(settings: Settings) -> None:
    """A batch for each device, three batches a wave."""
    settings.BATCH_SIZE = 1
    settings.WAVE_BATCHES = 3
    settings.STANDSTILL_S = 10


def planned(count: int, **fields: object) -> tuple[PushCampaign, Lane, list[DeliveryBatch]]:
    make_devices(make_project(), count)
    campaign = make_campaign(**fields)
    batches = start_and_plan(campaign)
    campaign.refresh_from_db()
    return campaign, Lane.objects.get(campaign=campaign), batches


def next_wave(lane: Lane, *, after_s: float = 0) -> int:
    return dispatch.dispatch_next_wave(
        campaign=lane.campaign, lane_id=lane.pk, now=seconds_later(after_s)
    )


def sends(*batches: DeliveryBatch) -> list[Published]:
    return [send_of(batch) for batch in batches]


def marks() -> list[tuple[bool, int]]:
    """Return of each batch whether it looks published, and how often it was."""
    rows = DeliveryBatch.objects.order_by("pk").values_list("dispatched_at", "dispatches")
    return [(dispatched_at is not None, dispatches) for dispatched_at, dispatches in rows]


def test_a_wave_holds_no_more_than_its_limit_in_the_order_of_the_plan(broker: Broker) -> None:
    _, lane, batches = planned(5)
    assert next_wave(lane) == 3
    assert broker.take_all("default") == sends(*batches[:3])
    assert marks() == [(True, 1)] * 3 + [(False, 0)] * 2


@pytest.mark.parametrize(
    ("rate", "quota_per_minute", "batches"),
    [
        (None, 600_000, 2_000),
        (None, 0, 2_000),
        (1, 600_000, 1),
        (5, 600_000, 1),
        (50, 600_000, 10),
        (None, 6_000, 20),
        (50, 600, 2),
    ],
)
def test_a_wave_of_a_slow_lane_is_small(
    settings: Settings, rate: int | None, quota_per_minute: int, batches: int
) -> None:
    """Else a campaign that trickles would keep all others waiting behind its two thousand."""
    settings.BATCH_SIZE, settings.WAVE_BATCHES = 500, 2_000
    lane = Lane(project=make_project(quota_per_minute=quota_per_minute))
    assert dispatch.wave_batches(lane, rate_limit_per_second=rate) == batches


def test_nothing_is_kept_of_messages_once_they_are_published(broker: Broker) -> None:
    """A process publishes for as long as it lives."""
    _, lane, _ = planned(5)
    assert next_wave(lane) == 3
    assert not app.backend._pending_results.concrete  # type: ignore[attr-defined]


def test_waves_double_until_the_pace_allows_no_more(settings: Settings, broker: Broker) -> None:
    """What is there first is sent while the rest is published."""
    settings.WAVE_BATCHES = 60
    _, lane, _ = planned(190)
    sizes = []
    while size := next_wave(lane):
        sizes.append(size)
        for batch in DeliveryBatch.objects.filter(dispatched_at__isnull=False):
            claim(batch)
    assert sizes == [20, 20, 40, 60, 50]


def test_the_next_wave_goes_out_once_the_last_is_claimed(broker: Broker) -> None:
    _, lane, batches = planned(5)
    next_wave(lane)
    broker.take_all("default")
    for batch in batches[:2]:
        claim(batch)
    assert next_wave(lane) == 0
    claim(batches[2])
    assert next_wave(lane) == 2
    assert broker.take_all("default") == sends(*batches[3:])


@pytest.mark.parametrize(
    ("priority", "queue"),
    [("high", "high_priority"), ("normal", "default"), ("low", "low_priority")],
)
def test_a_campaign_travels_on_the_queue_of_its_priority(
    broker: Broker, priority: str, queue: str
) -> None:
    _, lane, batches = planned(1, priority=priority)
    next_wave(lane)
    assert broker.take_all(queue) == sends(*batches)


def test_a_second_dispatcher_publishes_nothing(broker: Broker) -> None:
    _, lane, _ = planned(2)
    assert (next_wave(lane), next_wave(lane)) == (2, 0)
    assert len(broker.take_all("default")) == 2


@pytest.mark.django_db(transaction=True)
def test_dispatchers_at_once_publish_a_wave_once(broker: Broker) -> None:
    _, lane, batches = planned(3)
    published = run_at_once(4, lambda: next_wave(lane))
    assert sorted(published) == [0, 0, 0, 3]
    assert broker.take_all("default") == sends(*batches)


def test_a_halted_lane_is_not_dispatched(broker: Broker) -> None:
    campaign, lane, _ = planned(2)
    transitions.halt_lane(campaign_id=campaign.pk, project_id=lane.project_id, reason="refused")
    assert next_wave(lane) == 0
    assert broker.take_all("default") == []


def test_a_publisher_that_dies_leaves_batches_that_look_published(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other way round a wave would go out twice; what looks published the rescue finds."""

    def killed(_header: object) -> object:
        raise SystemExit

    monkeypatch.setattr(dispatch, "chord", killed)
    _, lane, _ = planned(2)
    with pytest.raises(SystemExit):
        next_wave(lane)
    assert marks() == [(True, 1), (True, 1)]


def test_messages_that_got_lost_are_published_again(broker: Broker) -> None:
    campaign, lane, batches = planned(2)
    next_wave(lane)
    broker.lose_everything()
    assert lost_again(campaign, lane, after_s=9) == 0
    assert lost_again(campaign, lane, after_s=10) == 2
    assert broker.take_all("default") == sends(*batches)


def lost_again(campaign: PushCampaign, lane: Lane, *, after_s: float) -> int:
    return dispatch.dispatch_lost_again(
        campaign=campaign, project_id=lane.project_id, now=seconds_later(after_s)
    )


def test_each_repeat_of_a_message_waits_twice_as_long(broker: Broker) -> None:
    campaign, lane, _ = planned(1)
    next_wave(lane)
    seconds = range(0, 400, 5)
    repeats = [second for second in seconds if lost_again(campaign, lane, after_s=second)]
    assert repeats == [10, 30, 70, 150, 310]


def test_patience_has_an_end() -> None:
    patience = [dispatch.patience_s(times) for times in (0, 1, 2, 3, 7, 30_000)]
    assert patience == [10, 10, 20, 40, 640, 3_600]


def test_a_claimed_batch_is_not_published_again(broker: Broker) -> None:
    campaign, lane, batches = planned(2)
    next_wave(lane)
    claim(batches[0])
    settle_all(batches[1], Outcome.SUCCESS)
    assert lost_again(campaign, lane, after_s=10_000) == 0


def test_what_waits_its_turn_in_a_lane_that_moves_is_not_lost(broker: Broker) -> None:
    campaign, lane, batches = planned(4)
    next_wave(lane)
    claim(batches[0], now=seconds_later(95))
    assert lost_again(campaign, lane, after_s=95 + LEASE_S - 1) == 0
    settle_all(batches[1], Outcome.SUCCESS, now=seconds_later(1_000))
    assert lost_again(campaign, lane, after_s=1_009) == 0


def test_a_lane_that_stops_moving_has_lost_its_messages(broker: Broker) -> None:
    campaign, lane, batches = planned(3)
    next_wave(lane)
    settle_all(batches[0], Outcome.SUCCESS, now=seconds_later(40))
    assert lost_again(campaign, lane, after_s=49) == 0
    assert lost_again(campaign, lane, after_s=50) == 2


def test_what_later_messages_have_overtaken_is_lost_even_while_the_lane_moves(
    broker: Broker,
) -> None:
    campaign, lane, [lost, retried, _] = planned(3)
    next_wave(lane)
    broker.lose_everything()
    DeliveryBatch.objects.exclude(pk=lost.pk).update(
        dispatched_at=None, dispatches=0, retry_at=seconds_later(20)
    )
    assert due_retries(campaign, lane, after_s=20) == 2
    claim(retried, now=seconds_later(21))
    assert lost_again(campaign, lane, after_s=25) == 0  # the other retry may still be before it
    settle_all(DeliveryBatch.objects.get(seq=2), Outcome.SUCCESS, now=seconds_later(26))
    broker.lose_everything()
    assert lost_again(campaign, lane, after_s=30) == 1
    assert broker.take_all("default") == sends(lost)


def test_what_was_published_shortly_before_is_not_overtaken(broker: Broker) -> None:
    campaign, lane, [_, *retried] = planned(3)
    next_wave(lane)
    DeliveryBatch.objects.filter(pk__in=[one.pk for one in retried]).update(
        dispatched_at=None, dispatches=0, retry_at=seconds_later(5)
    )
    assert due_retries(campaign, lane, after_s=5) == 2
    for batch in retried:
        settle_all(batch, Outcome.SUCCESS, now=seconds_later(11))
    assert lost_again(campaign, lane, after_s=20) == 0


def test_looking_for_the_next_wave_in_vain_is_no_progress(broker: Broker) -> None:
    _, lane, _ = planned(1)
    next_wave(lane, after_s=1)
    next_wave(lane, after_s=60)
    lane.refresh_from_db()
    assert lane.progressed_at == seconds_later(1)


def test_a_retry_goes_out_when_it_is_due_beside_the_wave_under_way(broker: Broker) -> None:
    campaign, lane, batches = planned(4)
    next_wave(lane)
    claim(batches[0])
    broker.take_all("default")
    DeliveryBatch.objects.filter(pk=batches[3].pk).update(retry_at=seconds_later(10))
    assert due_retries(campaign, lane, after_s=9) == 0
    assert due_retries(campaign, lane, after_s=10) == 1
    assert due_retries(campaign, lane, after_s=11) == 0
    assert broker.take_all("default") == sends(batches[3])


def test_no_more_retries_are_under_way_than_a_wave_holds(broker: Broker) -> None:
    campaign, lane, batches = planned(8)
    next_wave(lane)  # three
    claim(batches[0])
    waiting = [batch.pk for batch in batches[3:]]
    DeliveryBatch.objects.filter(pk__in=waiting).update(retry_at=seconds_later(10))
    assert due_retries(campaign, lane, after_s=10) == 1
    assert due_retries(campaign, lane, after_s=11) == 0
    claim(batches[1], now=seconds_later(12))
    claim(batches[2], now=seconds_later(12))
    assert due_retries(campaign, lane, after_s=13) == 2


def due_retries(campaign: PushCampaign, lane: Lane, *, after_s: float) -> int:
    return dispatch.dispatch_due_retries(
        campaign=campaign, project_id=lane.project_id, now=seconds_later(after_s)
    )


def test_a_wave_leaves_out_what_waits_for_its_retry(broker: Broker) -> None:
    _, lane, batches = planned(3)
    DeliveryBatch.objects.filter(pk=batches[0].pk).update(retry_at=seconds_later(10))
    assert next_wave(lane) == 2
    assert broker.take_all("default") == sends(*batches[1:])


def go_on(campaign: PushCampaign) -> None:
    dispatch.continue_campaign(campaign_id=campaign.pk, now=NOW)


def test_after_a_wave_comes_the_next(broker: Broker) -> None:
    campaign, _, batches = planned(4)
    for batch in batches[:3]:
        settle_all(batch, Outcome.SUCCESS)
    go_on(campaign)
    assert broker.take_all("default") == sends(batches[3])


def test_after_a_wave_comes_the_next_of_every_lane_that_has_none_under_way(
    broker: Broker,
) -> None:
    """A lane's messages may have served another lane: then its own wave ends with the other's."""
    for _ in range(3):
        make_devices(make_project(), 2)
    campaign = make_campaign()
    batches = start_and_plan(campaign)
    lanes = list(Lane.objects.filter(campaign=campaign).order_by("project_id"))
    next_wave(lanes[1])
    broker.take_all("default")
    go_on(campaign)
    assert broker.take_all("default") == sends(*batches[:2], *batches[4:])


def test_after_the_last_wave_the_campaign_completes_and_people_are_told_once(
    broker: Broker,
) -> None:
    campaign, _, batches = planned(1, priority="high")
    settle_all(batches[0], Outcome.SUCCESS)
    go_on(campaign)
    go_on(campaign)
    campaign.refresh_from_db()
    assert (campaign.status, campaign.completed_at) == ("completed", NOW)
    assert told_of(campaign) == ["campaign.completed"]
    assert broker.take_all("high_priority") == []


@pytest.mark.parametrize("move", [Move.PAUSE, Move.CANCEL])
def test_after_a_wave_of_a_campaign_that_stopped_nothing_is_published(
    broker: Broker, move: Move
) -> None:
    campaign, _, batches = planned(4)
    settle_all(batches[0], Outcome.SUCCESS)
    transitions.move_campaign(campaign_id=campaign.pk, move=move)
    go_on(campaign)
    assert broker.take_all("default") == []


def test_what_the_broker_refuses_counts_as_unpublished(broker_is_away: None) -> None:
    _, lane, _ = planned(2)
    with pytest.raises(OperationalError):
        next_wave(lane)
    assert marks() == [(False, 0), (False, 0)]
