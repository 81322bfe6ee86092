from __future__ import annotations

import pytest
from pytest_django import Settings

from campaigns import launch, planner, preflight, transitions
from campaigns.models import DeliveryBatch, Lane, PushCampaign
from campaigns.planner import open_lanes
from campaigns.states import Move
from tests.campaigns.conftest import Broker
from tests.cast import NOW, TASK_ID, account, make_campaign, make_devices, make_project
from tests.concurrency import run_at_once

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def small_slices(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of 1 device, slices of 1 and then 2 batches, waves of 10; the provider agrees."""
    settings.BATCH_SIZE = 1
    settings.WAVE_BATCHES = 10
    monkeypatch.setattr(planner, "FIRST_SLICE_BATCHES", 1)
    monkeypatch.setattr(planner, "SLICE_BATCHES", 2)
    monkeypatch.setattr(preflight, "may_send", lambda *_, **__: True)


def started(*devices: int) -> PushCampaign:
    """Start a campaign over so many projects with so many devices each."""
    for count in devices:
        make_devices(make_project(), count)
    campaign = make_campaign()
    transitions.start(campaign_id=campaign.pk, task_id=TASK_ID, now=NOW)
    open_lanes(campaign=campaign, now=NOW)
    return campaign


def plan_and_dispatch(campaign: PushCampaign) -> None:
    launch.plan_and_dispatch(campaign_id=campaign.pk, clock=lambda: NOW)


def published(broker: Broker) -> list[int]:
    """Return the batches whose messages stand in the queue, in its order."""
    return [message.args[0] for message in broker.take_all("default")]


def test_the_first_messages_leave_while_the_rest_is_being_planned(broker: Broker) -> None:
    campaign = started(6)
    plan_and_dispatch(campaign)
    assert account(campaign) == {"total_recipients": 6}
    first, *rest = DeliveryBatch.objects.order_by("seq").values_list("pk", flat=True)
    assert published(broker) == [first]  # a wave of what was planned by then
    assert len(rest) == 5


def test_every_project_has_something_to_send_from_the_first_second(broker: Broker) -> None:
    campaign = started(4, 4)
    plan_and_dispatch(campaign)
    batches = DeliveryBatch.objects.in_bulk(published(broker))
    lanes = list(Lane.objects.order_by("project_id").values_list("project_id", flat=True))
    sent = sorted((batch.project_id, batch.seq) for batch in batches.values())
    assert sent == [(lanes[0], 0), (lanes[1], 0)]
    assert account(campaign) == {"total_recipients": 8}


def test_a_launch_that_is_delivered_twice_does_everything_once(broker: Broker) -> None:
    campaign = started(5)
    plan_and_dispatch(campaign)
    plan_and_dispatch(campaign)
    assert account(campaign) == {"total_recipients": 5}
    assert len(published(broker)) == 1


@pytest.mark.django_db(transaction=True)
def test_launches_at_once_do_everything_once(broker: Broker) -> None:
    campaign = started(21, 9)
    run_at_once(4, lambda: plan_and_dispatch(campaign))
    planned = [one for batch in DeliveryBatch.objects.all() for one in batch.device_ids]
    sent = published(broker)
    assert (len(planned), len(set(planned))) == (30, 30)
    assert 2 <= len(sent) == len(set(sent))  # at least the first of each project
    assert account(campaign) == {"total_recipients": 30}


@pytest.mark.parametrize("move", [Move.PAUSE, Move.CANCEL])
def test_nothing_is_planned_of_a_campaign_that_stopped_before_its_turn(
    broker: Broker, move: Move
) -> None:
    campaign = started(3)
    transitions.move_campaign(campaign_id=campaign.pk, move=move)
    plan_and_dispatch(campaign)
    assert (account(campaign), published(broker)) == ({}, [])


def test_a_project_that_refuses_us_is_not_planned(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = started(2, 3)
    refused = Lane.objects.order_by("project_id")[0]
    monkeypatch.setattr(preflight, "may_send", lambda _, lane, **__: lane.pk != refused.pk)
    plan_and_dispatch(campaign)
    assert account(campaign) == {"total_recipients": 3}
    campaign.refresh_from_db()
    assert campaign.status == "processing"
