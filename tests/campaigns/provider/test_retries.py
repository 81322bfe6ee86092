"""What is tried again, when, how often, and that nothing else is."""

from __future__ import annotations

import time

import pytest
from pytest_django import Settings

from campaigns import engine
from campaigns.entry import Waiting
from campaigns.models import DeliveryBatch, PushCampaign
from devices.models import FcmProject
from tests.campaigns.provider.stage import Stage, log, only_batch
from tests.cast import account

pytestmark = pytest.mark.django_db


def without_jitter(project: FcmProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every wait be as short as the rules allow."""
    monkeypatch.setattr(engine.line_of(project).sender, "_random", lambda: 0.0)


def let_age(campaign: PushCampaign, seconds: float) -> None:
    """Make what waits in the ledger older, as if it had been tried for so long."""
    batch = only_batch(campaign)
    aged = {
        place: list(Waiting(*kept)._replace(since=Waiting(*kept).since - seconds))
        for place, kept in batch.retries.items()
    }
    DeliveryBatch.objects.filter(pk=batch.pk).update(retries=aged)


def test_only_what_failed_is_sent_again(stage: Stage) -> None:
    stage.devices(stage.project(), ["e1.ok.1", "e1.ok.2", "e1.unregistered.1", "e1.mismatch.1"])
    stage.devices(FcmProject.objects.get(), ["e1.unavailable.1", "e1.internal.2.x"])
    campaign = stage.started()

    rounds = stage.send_to_the_end(campaign)

    assert rounds == 3
    assert stage.received() == 6 + 2 + 1
    assert stage.control.stats()["sends_after_final"] == 0
    assert account(campaign) == {
        "total_recipients": 6,
        "sent_count": 6,
        "success_count": 4,
        "failure_count": 2,
        "invalid_count": 1,
    }
    assert campaign.status == "completed"


def test_a_retry_waits_in_the_ledger_and_not_in_a_process(stage: Stage) -> None:
    stage.devices(stage.project(), ["e1.unavailable.1"])
    campaign = stage.started()
    before, began = stage.clock().timestamp(), time.monotonic()

    stage.send(campaign)

    assert time.monotonic() - began < 10
    batch = only_batch(campaign)
    assert (batch.state, batch.lease_until) == ("pending", None)
    assert batch.retry_at is not None
    # 10 to 20 s by the rules; on a grid of 5 s, so that a batch's retries go together.
    assert before + 10 <= batch.retry_at.timestamp() <= stage.clock().timestamp() + 25


def test_nothing_is_sent_before_it_is_due(stage: Stage) -> None:
    stage.devices(stage.project(), ["e1.unavailable.1"])
    campaign = stage.started()
    stage.send(campaign)
    retry_at = only_batch(campaign).retry_at
    assert retry_at is not None

    stage.clock.advance(retry_at.timestamp() - stage.clock().timestamp() - 3)
    stage.send(campaign)
    assert stage.received() == 1

    stage.clock.advance(4)
    stage.send(campaign)
    assert stage.received() == 2


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured_in_both_forms(stage: Stage, form: str) -> None:
    stage.control.configure(retry_after=form)
    stage.devices(stage.project(), ["e1.unavailable.1.300.x", "e1.quota_device.1.300.x"])
    campaign = stage.started()
    before = stage.clock().timestamp()

    stage.send(campaign)

    dues = [kept.due - before for kept in stage.waiting(campaign).values()]
    # A date has whole seconds; beyond what is asked come jitter (10 s) and grid (5 s).
    assert all(299 <= due <= 300 + 10 + 5 + 5 for due in dues)


@pytest.mark.parametrize(
    ("behaviour", "status", "code"),
    [
        ("unavailable", "unknown", "UNAVAILABLE"),
        ("quota_device", "failed", "QUOTA_EXCEEDED"),
    ],
)
def test_after_five_attempts_it_is_over(
    stage: Stage, behaviour: str, status: str, code: str
) -> None:
    address = f"e1.{behaviour}.always.x"
    stage.devices(stage.project(), [address])
    campaign = stage.started()

    assert stage.send_to_the_end(campaign) == 5

    assert stage.received() == 5
    assert log(campaign) == {address: (status, code, True)}


def test_the_number_of_attempts_is_a_setting(stage: Stage, settings: Settings) -> None:
    settings.RETRY_MAX_ATTEMPTS = 2
    stage.devices(stage.project(), ["e1.unavailable.always.x"])
    campaign = stage.started()

    assert stage.send_to_the_end(campaign) == 2


def test_after_an_hour_it_is_over(stage: Stage) -> None:
    stage.devices(stage.project(), ["e1.unavailable.always.x", "e1.quota_device.always.x"])
    campaign = stage.started()
    stage.send(campaign)
    let_age(campaign, 3_590)

    stage.wait_out(campaign)
    stage.send(campaign)

    assert log(campaign) == {
        "e1.unavailable.always.x": ("unknown", "UNAVAILABLE", True),
        "e1.quota_device.always.x": ("failed", "QUOTA_EXCEEDED", True),
    }


def test_the_age_is_a_setting(stage: Stage, settings: Settings) -> None:
    settings.RETRY_MAX_AGE_S = 5
    stage.devices(stage.project(), ["e1.unavailable.1"])
    campaign = stage.started()

    stage.send(campaign)

    assert log(campaign) == {"e1.unavailable.1": ("unknown", "UNAVAILABLE", True)}


def test_in_real_time_no_retry_is_sooner_than_google_allows(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = stage.project()
    without_jitter(project, monkeypatch)
    behaviours = ["unavailable", "internal", "bad_gateway", "gateway_timeout", "accept_unavailable"]
    addresses = [f"e1.{behaviour}.1" for behaviour in behaviours]
    stage.devices(project, [*addresses, "e1.unavailable.1.11.x", "e1.quota_device.1.11.x"])
    campaign = stage.started()
    stage.send(campaign)

    retry_at = only_batch(campaign).retry_at
    assert retry_at is not None
    time.sleep(max(0.0, (retry_at - stage.clock()).total_seconds()))
    stage.send(campaign)
    sent_again = stage.received() - 7

    assert sent_again >= 5
    assert stage.control.stats()["early_retries"] == 0


@pytest.mark.parametrize("behaviour", ["refused", "goaway"])
def test_what_never_reached_the_provider_is_sent_again_at_once(
    wire_stage: Stage, behaviour: str
) -> None:
    address = f"e1.{behaviour}.1"
    wire_stage.devices(wire_stage.project(), [address])
    campaign = wire_stage.started(guarantee="at_most_once")

    wire_stage.send(campaign)

    assert log(campaign) == {address: ("success", "", True)}
    assert wire_stage.control.counts([address]) == [1]


def test_a_provider_that_cannot_be_connected_to_costs_no_attempts(
    stage: Stage, settings: Settings
) -> None:
    stage.devices(stage.project(), ["e1.ok.1", "e1.ok.2"])
    campaign = stage.started(guarantee="at_most_once")
    settings.FCM_ENDPOINT = "https://127.0.0.1:1"

    stage.send(campaign)

    waiting = stage.waiting(campaign)
    assert {(*kept[:2], kept.code) for kept in waiting.values()} == {(0, False, "NEVER_SENT")}

    settings.FCM_ENDPOINT = stage.emulator.url
    stage.new_process()
    stage.send_to_the_end(campaign)

    assert account(campaign) == {"total_recipients": 2, "sent_count": 2, "success_count": 2}
