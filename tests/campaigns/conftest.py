"""The broker of the domain's tests: a real one, looked at from the other end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from celery import current_app
from django.conf import settings
from django.core.cache.backends.locmem import LocMemCache
from kombu import Connection, Queue
from pytest_django import Settings

from campaigns.models import DeliveryBatch, PushCampaign
from tests.concurrency import close_result_backend


class Published(NamedTuple):
    """A message as a worker would receive it."""

    task: str
    args: list[Any]


def plan_of(campaign: PushCampaign) -> Published:
    """Return the message that asks for the campaign's plan."""
    return Published("execute_push_campaign", [campaign.pk])


def send_of(batch: DeliveryBatch) -> Published:
    """Return the message that asks for the batch to be sent."""
    return Published("send_push_batch", [batch.pk])


class Broker:
    """The queues as the workers see them; nobody else consumes from them during a test."""

    def __init__(self, connection: Connection) -> None:
        self._channel = connection.default_channel

    def take(self, queue: str) -> Published | None:
        """Receive the queue's next message; None where it is empty."""
        message = Queue(queue)(self._channel).get(no_ack=True)
        if message is None:
            return None
        task = str(message.headers["task"]).removeprefix("campaigns.")
        return Published(task, message.payload[0])

    def take_all(self, queue: str) -> list[Published]:
        """Receive all that stands in the queue, in its order."""
        return list(iter(lambda: self.take(queue), None))

    def lose_everything(self) -> None:
        """Empty every queue, as a broker does that comes back without its data."""
        for queue in settings.CELERY_TASK_QUEUES:
            bound = queue(self._channel)
            bound.declare()
            bound.purge()


@pytest.fixture(scope="session", autouse=True)
def _closed_at_the_end() -> Iterator[None]:
    """Close what Celery keeps open for the process's next message: there is none."""
    yield
    close_result_backend()
    current_app.amqp.producer_pool.force_close_all()  # type: ignore[attr-defined]
    current_app.pool.force_close_all()  # type: ignore[attr-defined]


@pytest.fixture
def broker() -> Iterator[Broker]:
    """The real broker with empty queues."""
    with current_app.connection_for_read() as connection:
        broker = Broker(connection)
        broker.lose_everything()
        yield broker
        broker.lose_everything()


@pytest.fixture
def broker_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every attempt to publish find nobody listening."""
    monkeypatch.setattr(current_app.conf, "broker_write_url", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(current_app.amqp, "_producer_pool", None)


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remember no breakdown of another test's campaign, or another run's, with the same id."""
    monkeypatch.setattr("campaigns.breakdown.cache", LocMemCache(uuid4().hex, {}))


@pytest.fixture
def batches_of_two(settings: Settings) -> None:
    """Have a handful of devices make several batches, and soon stand still."""
    settings.BATCH_SIZE = 2
    settings.STANDSTILL_S = 10
