from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries, Settings

from campaigns import planner, transitions
from campaigns.models import DeliveryBatch, Lane, PushCampaign
from campaigns.planner import Slice
from campaigns.states import Move
from devices.models import DeviceToken
from tests.cast import (
    NOW,
    TASK_ID,
    account,
    make_campaign,
    make_devices,
    make_project,
    seconds_later,
    start_and_plan,
)
from tests.concurrency import in_own_connection, run_at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Batches of 2 devices, a first slice of 1 batch, later ones of 2."""
    settings.BATCH_SIZE = 2
    monkeypatch.setattr(planner, "FIRST_SLICE_BATCHES", 1)
    monkeypatch.setattr(planner, "SLICE_BATCHES", 2)


def start(campaign: PushCampaign) -> list[Lane]:
    transitions.start(campaign_id=campaign.pk, task_id=TASK_ID, now=NOW)
    planner.open_lanes(campaign=campaign, now=NOW)
    return list(Lane.objects.filter(campaign=campaign).order_by("project_id"))


def plan_slice(lane: Lane) -> Slice | None:
    return planner.plan_next_slice(
        campaign=lane.campaign, lane_id=lane.pk, now=seconds_later(lane.planned_batches)
    )


def plan_rest(lane: Lane) -> list[Slice]:
    return list(iter(lambda: plan_slice(lane), None))


def planned(campaign: PushCampaign) -> list[int]:
    """Return every device in the ledger, as often as it stands there."""
    batches = DeliveryBatch.objects.filter(campaign=campaign).order_by("project_id", "seq")
    return [device_id for batch in batches for device_id in batch.device_ids]


def ids(devices: list[DeviceToken]) -> list[int]:
    return [device.pk for device in devices]


def test_the_audience_becomes_batches_of_500_in_the_order_of_ids() -> None:
    devices = make_devices(make_project(), 1_201)
    campaign = make_campaign()
    batches = start_and_plan(campaign)
    assert [(batch.seq, len(batch.device_ids)) for batch in batches] == [
        (0, 500),
        (1, 500),
        (2, 201),
    ]
    assert planned(campaign) == ids(devices)
    assert account(campaign) == {"total_recipients": 1_201}


def test_an_audience_that_fills_its_last_batch_has_no_empty_one() -> None:
    make_devices(make_project(), 1_000)
    assert [len(batch.device_ids) for batch in start_and_plan(make_campaign())] == [500, 500]


def test_a_plan_grows_slice_by_slice_and_the_first_is_small(small_slices: None) -> None:
    make_devices(make_project(), 7)
    [lane] = start(make_campaign())
    assert plan_rest(lane) == [Slice(1, 2, False), Slice(2, 4, False), Slice(1, 1, True)]
    lane.refresh_from_db()
    assert (lane.planned_batches, lane.planned_at is not None) == (4, True)


def test_slices_grow_with_what_is_planned_up_to_a_limit(
    small_slices: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner, "SLICE_BATCHES", 10)
    make_devices(make_project(), 60)
    [lane] = start(make_campaign())
    assert [written.batches for written in plan_rest(lane)] == [1, 2, 6, 10, 10, 1]


def test_a_plan_is_complete_only_when_nobody_is_left(small_slices: None) -> None:
    make_devices(make_project(), 6)
    [lane] = start(make_campaign())
    assert plan_rest(lane) == [Slice(1, 2, False), Slice(2, 4, False), Slice(0, 0, True)]


def test_the_account_grows_with_the_plan(small_slices: None) -> None:
    make_devices(make_project(), 7)
    campaign = make_campaign()
    [lane] = start(campaign)
    plan_slice(lane)
    assert account(campaign) == {"total_recipients": 2}
    plan_slice(lane)
    assert account(campaign) == {"total_recipients": 6}


def test_a_device_that_registers_after_the_launch_is_not_planned(small_slices: None) -> None:
    project = make_project()
    devices = make_devices(project, 3)
    campaign = make_campaign()
    [lane] = start(campaign)
    plan_slice(lane)
    make_devices(project, 5)
    plan_rest(lane)
    assert planned(campaign) == ids(devices)


def test_an_interrupted_plan_goes_on_without_planning_anybody_twice(small_slices: None) -> None:
    devices = make_devices(make_project(), 9)
    campaign = make_campaign()
    [lane] = start(campaign)
    plan_slice(lane)
    plan_slice(lane)
    # Another process takes over: it knows nothing but what stands in the database.
    [lane] = Lane.objects.filter(campaign=campaign)
    plan_rest(lane)
    assert planned(campaign) == ids(devices)
    assert account(campaign) == {"total_recipients": 9}


def test_a_slice_that_fails_leaves_nothing_behind(
    small_slices: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = make_devices(make_project(), 3)
    campaign = make_campaign()
    [lane] = start(campaign)

    def die(**arguments: object) -> bool:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(transitions, "add_planned", die)
        with pytest.raises(ConnectionError):
            plan_slice(lane)
    assert (planned(campaign), account(campaign)) == ([], {})
    plan_rest(lane)
    assert planned(campaign) == ids(devices)


@pytest.mark.parametrize("move", [Move.PAUSE, Move.CANCEL])
def test_a_plan_stops_when_the_campaign_does(small_slices: None, move: Move) -> None:
    devices = make_devices(make_project(), 7)
    campaign = make_campaign()
    [lane] = start(campaign)
    plan_slice(lane)
    transitions.move_campaign(campaign_id=campaign.pk, move=move)
    assert plan_slice(lane) is None
    assert planned(campaign) == ids(devices)[:2]
    assert account(campaign) == {"total_recipients": 2}
    lane.refresh_from_db()
    assert (lane.planned_batches, lane.planned_at) == (1, None)


def test_a_plan_that_was_paused_goes_on_where_it_stopped(small_slices: None) -> None:
    devices = make_devices(make_project(), 7)
    campaign = make_campaign()
    [lane] = start(campaign)
    plan_slice(lane)
    transitions.move_campaign(campaign_id=campaign.pk, move=Move.PAUSE)
    plan_slice(lane)
    transitions.move_campaign(campaign_id=campaign.pk, move=Move.RESUME)
    plan_rest(lane)
    assert planned(campaign) == ids(devices)


def test_a_complete_plan_is_not_touched_again() -> None:
    make_devices(make_project(), 3)
    campaign = make_campaign()
    start_and_plan(campaign)
    [lane] = Lane.objects.filter(campaign=campaign)
    assert plan_slice(lane) is None
    assert account(campaign) == {"total_recipients": 3}


def test_inactive_devices_are_not_planned() -> None:
    project = make_project()
    active = make_devices(project, 2)
    make_devices(project, 2, is_active=False, inactive_reason="requested")
    campaign = make_campaign()
    start_and_plan(campaign)
    assert planned(campaign) == ids(active)


def test_a_device_deactivated_between_two_slices_is_not_planned(small_slices: None) -> None:
    devices = make_devices(make_project(), 5)
    campaign = make_campaign()
    [lane] = start(campaign)
    plan_slice(lane)
    DeviceToken.objects.filter(pk=devices[3].pk).update(
        is_active=False, inactive_reason="requested"
    )
    plan_rest(lane)
    assert planned(campaign) == ids(devices[:3] + devices[4:])
    assert account(campaign) == {"total_recipients": 4}


def test_a_campaign_for_some_users_reaches_all_their_devices_and_no_other() -> None:
    project = make_project()
    phones = make_devices(project, 2, user_id="ann")
    make_devices(project, 2, user_id="bob")
    tablet = make_devices(project, 1, user_id="ann")
    web = make_devices(project, 1, user_id="🦊 €;'--", platform="web")
    campaign = make_campaign(target_all=False, target_user_ids=["ann", "🦊 €;'--", "nobody"])
    start_and_plan(campaign)
    assert planned(campaign) == ids(phones + tablet + web)


def test_a_user_who_is_named_twice_is_planned_once() -> None:
    devices = make_devices(make_project(), 1, user_id="ann")
    campaign = make_campaign(target_all=False, target_user_ids=["ann", "ann"])
    start_and_plan(campaign)
    assert planned(campaign) == ids(devices)


def test_a_campaign_for_nobody_in_particular_has_no_lane() -> None:
    make_devices(make_project(), 2)
    assert start(make_campaign(target_all=False, target_user_ids=[])) == []


def test_each_project_of_the_audience_has_a_lane_of_its_own() -> None:
    first, second, empty = make_project(), make_project(), make_project()
    ours, theirs = make_devices(first, 3), make_devices(second, 2)
    assert not DeviceToken.objects.filter(project=empty).exists()
    campaign = make_campaign()
    batches = start_and_plan(campaign)
    assert [(batch.project_id, batch.seq, batch.device_ids) for batch in batches] == [
        (first.pk, 0, ids(ours)),
        (second.pk, 0, ids(theirs)),
    ]
    assert account(campaign) == {"total_recipients": 5}


def test_devices_of_several_projects_that_alternate_are_planned_once_each(
    small_slices: None,
) -> None:
    projects = [make_project(), make_project()]
    devices = [make_devices(projects[n % 2], 1)[0] for n in range(9)]
    campaign = make_campaign()
    start_and_plan(campaign)
    assert sorted(planned(campaign)) == ids(devices)


@pytest.mark.django_db(transaction=True)
def test_a_planner_waits_for_a_dispatcher_instead_of_giving_the_lane_up() -> None:
    devices = make_devices(make_project(), 3)
    campaign = make_campaign()
    [lane] = start(campaign)
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        Lane.objects.select_for_update().get(pk=lane.pk)
        written = pool.submit(in_own_connection, lambda: plan_slice(lane))
        with pytest.raises(TimeoutError):
            written.result(timeout=0.2)
        transaction.set_rollback(True)
    assert written.result() == Slice(1, 3, True)
    assert planned(campaign) == ids(devices)


@pytest.mark.django_db(transaction=True)
def test_planners_at_once_plan_each_device_once(small_slices: None) -> None:
    devices = make_devices(make_project(), 101)
    campaign = make_campaign()
    [lane] = start(campaign)
    slices = run_at_once(4, lambda: plan_rest(lane))
    assert planned(campaign) == ids(devices)
    assert sum(written.devices for mine in slices for written in mine) == 101
    assert account(campaign) == {"total_recipients": 101}
    seqs = DeliveryBatch.objects.order_by("seq").values_list("seq", flat=True)
    assert list(seqs) == list(range(51))


def test_a_slice_costs_the_same_few_statements_whatever_the_audience(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    make_devices(make_project(), 2_001)
    [lane] = start(make_campaign())
    campaign = lane.campaign
    with django_assert_num_queries(6):
        planner.plan_next_slice(campaign=campaign, lane_id=lane.pk, now=NOW)
