"""What our own code can't do is tried so often, and then the campaign pauses and says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import pytest
from django.db import OperationalError
from pytest_django import Settings

from campaigns import dispatch, launch, planner, transitions
from campaigns.models import Lane, PushCampaign
from campaigns.planner import open_lanes
from campaigns.services import resume_campaign
from pushcore.outcomes import Outcome
from tests.campaigns.conftest import Broker, send_of
from tests.cast import (
    NOW,
    TASK_ID,
    account,
    make_campaign,
    make_devices,
    make_project,
    planned,
    rescue_after,
    settle_all,
    status_of,
)

pytestmark = pytest.mark.django_db

REASON = "our own code failed 5 times: ArithmeticError: no such number"


@pytest.fixture(autouse=True)
def small_batches(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.BATCH_SIZE = 2
    settings.STANDSTILL_S = 10
    monkeypatch.setattr("campaigns.preflight.may_send", lambda *_, **__: True)


def fail(*_: object, **__: object) -> NoReturn:
    raise ArithmeticError("no such number")


def plan(campaign: PushCampaign) -> None:
    launch.plan_and_dispatch(campaign_id=campaign.pk, clock=lambda: NOW)


def go_on(campaign: PushCampaign) -> None:
    dispatch.continue_campaign(campaign_id=campaign.pk, now=NOW)


def started(devices: int) -> PushCampaign:
    make_devices(make_project(), devices)
    campaign = make_campaign()
    transitions.start(campaign_id=campaign.pk, task_id=TASK_ID, now=NOW)
    open_lanes(campaign=campaign, now=NOW)
    return campaign


def failures(campaign: PushCampaign) -> int:
    return PushCampaign.objects.values_list("engine_failures", flat=True).get(pk=campaign.pk)


@pytest.mark.parametrize(
    ("broken", "step"),
    [
        ("campaigns.planner._write_slice", plan),
        ("campaigns.preflight.may_send", plan),
        ("campaigns.dispatch.chord", plan),
        ("campaigns.dispatch.dispatch_next_wave", go_on),
        ("campaigns.transitions.complete_if_settled", go_on),
    ],
)
def test_a_step_that_always_fails_pauses_its_campaign_after_five_times(
    broker: Broker,
    monkeypatch: pytest.MonkeyPatch,
    broken: str,
    step: Callable[[PushCampaign], None],
) -> None:
    campaign = started(3)
    monkeypatch.setattr(broken, fail)
    for _ in range(5):
        assert status_of(campaign) == "processing"
        Lane.objects.update(published_at=None)
        campaign.batches.update(dispatched_at=None)
        with pytest.raises(ArithmeticError):
            step(campaign)
    assert status_of(campaign) == "paused"
    assert campaign.status_reason == REASON
    step(campaign)  # does nothing, and so does not fail
    assert status_of(campaign) == "paused"


def test_the_rescue_that_always_fails_over_a_campaign_pauses_it(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign, _ = planned(4)
    monkeypatch.setattr(dispatch, "dispatch_lost_again", fail)
    for seconds in range(0, 25, 5):
        assert status_of(campaign) == "processing"
        rescue_after(seconds)
    assert status_of(campaign) == "paused"
    assert campaign.status_reason == REASON


def test_a_paused_campaign_goes_on_when_the_code_is_mended(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = started(3)
    with monkeypatch.context() as poisoned:
        poisoned.setattr(planner, "_write_slice", fail)
        for _ in range(5):
            with pytest.raises(ArithmeticError):
                plan(campaign)
    resume_campaign(campaign_id=campaign.pk)
    plan(campaign)
    assert (status_of(campaign), campaign.status_reason) == ("processing", "")
    assert account(campaign) == {"total_recipients": 3}
    assert failures(campaign) == 0
    assert len(broker.take_all("default")) == 2


def test_a_campaign_that_gets_further_in_between_is_not_stuck(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.WAVE_BATCHES = 1
    campaign, [first, second] = planned(4)
    with monkeypatch.context() as poisoned:
        poisoned.setattr(dispatch, "_publish_wave", fail)
        with pytest.raises(ArithmeticError):
            go_on(campaign)
    assert failures(campaign) == 1
    settle_all(first, Outcome.SUCCESS)
    go_on(campaign)
    assert failures(campaign) == 0
    assert broker.take_all("default") == [send_of(second)]


def test_a_database_that_is_away_is_nobodys_poison(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> NoReturn:
        raise OperationalError("server closed the connection unexpectedly")

    campaign = started(3)
    monkeypatch.setattr(planner, "_write_slice", away)
    for _ in range(9):
        with pytest.raises(OperationalError):
            plan(campaign)
    assert (status_of(campaign), failures(campaign)) == ("processing", 0)
