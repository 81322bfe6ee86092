from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from campaigns import claiming, dispatch, engine, transitions
from campaigns.models import DeliveryBatch, Lane, PushCampaign
from campaigns.states import BatchState, Move
from devices.models import FcmProject
from pushcore.messages import Priority
from tests.campaigns.conftest import Broker, send_of
from tests.campaigns.paces import forget_paces
from tests.cast import (
    LEASE_S,
    NOW,
    make_campaign,
    make_devices,
    make_project,
    start_and_plan,
)
from tests.concurrency import run_at_once

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def unused_paces(settings: Settings, broker: Broker) -> Iterator[None]:
    """A batch for each device; nobody remembers a pace or a lane of another test."""
    settings.BATCH_SIZE = 1
    forget_paces()
    claiming._running_lanes.cache_clear()
    yield
    forget_paces()
    claiming._running_lanes.cache_clear()


def published(*projects: FcmProject, devices: int = 2, **fields: object) -> list[DeliveryBatch]:
    """Return the batches of a campaign over these projects, with a wave of each lane published."""
    batches = unpublished(*projects, devices=devices, **fields)
    publish(batches[0].campaign)
    return batches


def unpublished(*projects: FcmProject, devices: int = 2, **fields: object) -> list[DeliveryBatch]:
    """Return the batches of a campaign over these projects, one for each device."""
    made = [device for project in projects for device in make_devices(project, devices)]
    users = [device.user_id for device in made]
    campaign = make_campaign(target_all=False, target_user_ids=users, **fields)
    return start_and_plan(campaign)


def publish(campaign: PushCampaign) -> None:
    for lane in Lane.objects.filter(campaign=campaign):
        dispatch.dispatch_next_wave(campaign=campaign, lane_id=lane.pk, now=NOW)


def exhaust(project: FcmProject, *, seconds: float = 60) -> None:
    """Let the project have no pace left: the provider has refused it for so long."""
    engine.pacer_of(project).penalise(seconds)


def claimed_for(batch: DeliveryBatch) -> int | None:
    """Return the id of the batch that is claimed for this one's message."""
    entry = claiming.claim_for_message(batch_id=batch.pk, now=NOW, lease_s=LEASE_S)
    return entry.batch.pk if entry else None


def test_a_message_serves_the_batch_that_it_names() -> None:
    _, second, *_ = published(make_project(), make_project())
    assert claimed_for(second) == second.pk


def test_where_its_lane_is_busy_a_message_serves_another_lane() -> None:
    busy, free = make_project(), make_project()
    first, second, third, fourth = published(busy, free)
    exhaust(busy)
    assert [claimed_for(first), claimed_for(second)] == [third.pk, fourth.pk]


def test_whose_batch_is_gone_serves_who_is_left() -> None:
    busy, free = make_project(), make_project()
    first, second, third, fourth = published(busy, free)
    exhaust(busy)
    served = [claimed_for(batch) for batch in (first, second, third, fourth)]
    assert served == [third.pk, fourth.pk, first.pk, second.pk]
    assert claimed_for(first) is None


def test_of_busy_lanes_the_one_that_is_free_soonest_is_served() -> None:
    projects = [make_project() for _ in range(3)]
    first, second, third = published(*projects, devices=1)
    for project, seconds in zip(projects, (30, 20, 10), strict=True):
        exhaust(project, seconds=seconds)
    assert [claimed_for(first), claimed_for(second), claimed_for(third)] == [
        third.pk,
        second.pk,
        first.pk,
    ]


def test_lanes_that_are_equally_busy_take_their_own_turns() -> None:
    projects = [make_project(), make_project()]
    first, *_ = published(*projects)
    for project in projects:
        exhaust(project)
    assert claimed_for(first) == first.pk


def test_where_others_have_its_lane_in_hand_a_message_serves_another_lane() -> None:
    """Else all would share the pace of one project, while another's went unused."""
    slow = {"quota_per_minute": 600}  # a message takes 0.1 s of it
    first, second, third, fourth = published(make_project(**slow), make_project(**slow))
    entry = claiming.claim_for_message(batch_id=first.pk, now=NOW, lease_s=LEASE_S)
    assert entry is not None
    assert entry.batch.pk == first.pk
    with claiming.in_hand(entry, lease_s=LEASE_S):
        assert claimed_for(second) == third.pk
    assert claimed_for(third) == fourth.pk


def test_what_is_no_longer_in_hand_counts_no_more() -> None:
    slow = {"quota_per_minute": 600}
    first, second, *_ = published(make_project(**slow), make_project(**slow))
    entry = claiming.claim_for_message(batch_id=first.pk, now=NOW, lease_s=LEASE_S)
    assert entry is not None
    with pytest.raises(ZeroDivisionError), claiming.in_hand(entry, lease_s=LEASE_S):
        raise ZeroDivisionError
    assert claimed_for(second) == second.pk


def test_a_campaign_that_trickles_leaves_the_processes_to_others() -> None:
    """Its own pace is used up, the project has none."""
    project = make_project(quota_per_minute=0)
    trickling, *_ = published(project, rate_limit_per_second=1)
    going, *_ = published(project)
    engine.pacer_of(project).take(
        1, priority=Priority.NORMAL, campaign_key=str(trickling.campaign_id), campaign_rate=1
    )
    assert claimed_for(trickling) == going.pk


def test_messages_serve_their_own_priority_only() -> None:
    """A worker may be there for one queue alone."""
    busy = make_project()
    urgent, *_ = published(busy, priority="high")
    published(make_project(), priority="normal")
    exhaust(busy)
    assert claimed_for(urgent) == urgent.pk


def test_what_has_no_message_waits_for_its_wave(settings: Settings) -> None:
    settings.WAVE_BATCHES = 1
    busy, free = make_project(), make_project()
    first, _, third, _ = published(busy, free)
    exhaust(busy)
    served = [claimed_for(batch) for batch in (first, third, third)]
    assert served == [third.pk, first.pk, None]


def test_a_lane_that_others_have_served_to_the_end_of_its_wave_goes_on_at_once(
    settings: Settings, broker: Broker
) -> None:
    """Its own message still stands behind the busy lane's: no callback comes before that."""
    settings.WAVE_BATCHES = 2
    busy, free = make_project(), make_project()
    batches = published(busy, free, devices=4)
    exhaust(busy)
    broker.take_all("default")
    served = [claimed_for(batches[0]) for _ in range(4)]
    assert served == [batch.pk for batch in batches[4:]]
    assert broker.take_all("default") == [send_of(batch) for batch in batches[6:]]


def test_where_the_broker_is_away_a_message_serves_its_own_batch(
    settings: Settings, broker_is_away: None
) -> None:
    busy, free = make_project(), make_project()
    first, *_ = unpublished(busy, free)
    DeliveryBatch.objects.filter(project=busy).update(dispatched_at=NOW)
    exhaust(busy)
    assert claimed_for(first) == first.pk


def test_messages_of_a_campaign_that_stopped_serve_who_is_left() -> None:
    """The stopped one's batches wait; those whose messages had served it do not."""
    busy = make_project()
    first, second = published(busy)
    stopped, other = published(make_project())
    exhaust(busy)
    assert [claimed_for(first), claimed_for(second)] == [stopped.pk, other.pk]
    transitions.move_campaign(campaign_id=stopped.campaign_id, move=Move.PAUSE)
    claiming._running_lanes.cache_clear()
    assert [claimed_for(stopped), claimed_for(other)] == [first.pk, second.pk]


def test_a_halted_lane_is_not_served() -> None:
    busy, halted = make_project(), make_project()
    first, _, third, _ = published(busy, halted)
    exhaust(busy)
    transitions.halt_lane(
        campaign_id=first.campaign_id, project_id=halted.pk, reason="API disabled"
    )
    assert [claimed_for(first), claimed_for(third)] == [first.pk, first.pk + 1]


def test_a_message_of_a_campaign_that_was_deleted_claims_nothing() -> None:
    [batch] = published(make_project(), devices=1)
    batch.pk += 1_000
    assert claimed_for(batch) is None


@pytest.mark.django_db(transaction=True)
def test_messages_at_once_serve_every_batch_once() -> None:
    busy, free = make_project(), make_project()
    batches = published(busy, free, devices=6)
    exhaust(busy)
    messages = iter(batches)
    claimed: list[int | None] = []
    run_at_once(12, lambda: claimed.append(claimed_for(next(messages))))
    assert sorted(pk for pk in claimed if pk) == [batch.pk for batch in batches]
    assert set(DeliveryBatch.objects.values_list("state", flat=True)) == {BatchState.SENDING}
