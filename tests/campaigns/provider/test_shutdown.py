"""A rolling deploy: a worker that is told to leave settles what is in flight, no more."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from campaigns import shutdown
from tests.campaigns.provider.stage import Stage, only_batch
from tests.cast import account

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _stays_afterwards() -> Iterator[None]:
    yield
    shutdown._shared[0] = 0


def test_a_worker_that_is_to_leave_settles_what_is_in_flight_and_gives_the_rest_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pushcore.gate.STARVED_S", 60)
    addresses = [f"e1.ok.{number}" for number in range(300)]
    stage.devices(stage.project(), addresses)
    campaign = stage.started(rate_limit_per_second=20)
    began = time.monotonic()

    with stage.meanwhile(received=5, then=shutdown.begin):
        stage.send(campaign)

    assert time.monotonic() - began < 8  # of fifteen that the pace allows it
    sent = sum(stage.control.counts(addresses))
    assert 5 <= sent < 160
    assert account(campaign) == {
        "total_recipients": 300,
        "sent_count": sent,
        "success_count": sent,
    }
    batch = only_batch(campaign)
    assert (batch.state, batch.retry_at, batch.retries, batch.crashes) == ("pending", None, {}, 0)


def test_a_worker_that_is_to_leave_starts_no_message(stage: Stage) -> None:
    stage.devices(stage.project(), ["e1.ok.1"])
    campaign = stage.started()
    shutdown.begin()
    stage.send(campaign)
    assert stage.received() == 0
    assert only_batch(campaign).state == "pending"
