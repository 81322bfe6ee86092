"""The harness's hand in the broker: it copies messages, throws chords away, sends hints."""

from __future__ import annotations

import json
import uuid
from typing import Any, cast

import redis
from celery import Celery
from kombu import Exchange, Queue

from scripts.demo_run.repeating import Repeating

QUEUES = ("rescue", "high_priority", "notices", "default", "low_priority")


def hint_rescue(broker_url: str, *, times: int) -> None:
    """Publish the rescue's message so often at once, as a beat gone wild would."""
    queue = Queue("rescue", Exchange(""), "rescue", no_declare=True)
    app = Celery(broker=broker_url, task_queues=[queue], set_as_current=False)
    with app.connection_for_write() as connection:
        for _ in range(times):
            app.send_task("campaigns.rescue", queue="rescue", connection=connection)


def lose_chords(client: redis.Redis) -> int:
    """Delete what Redis knows of open chords, so that no callback ever runs; return how much."""
    keys = list(client.scan_iter("celery-taskset-meta-*"))
    return client.delete(*keys) if keys else 0


class Copier(Repeating):
    """Delivers every message of Redis as broker twice, while the `with` block lasts.

    What waits and what a worker holds unacknowledged is copied once each, under a delivery tag of
    its own: to the workers it is the same task again.
    """

    def __init__(self, client: redis.Redis) -> None:
        super().__init__(interval_s=0.005)
        self._client = client
        self._done: set[str] = set()

    @property
    def copied(self) -> int:
        """How many messages have been copied."""
        return len(self._done)

    def _once(self) -> None:
        for queue in QUEUES:
            for raw in cast("list[bytes]", self._client.lrange(queue, 0, -1)):
                self._copy(json.loads(raw), queue)
        for raw in cast("list[bytes]", self._client.hvals("unacked")):
            message, _exchange, queue = json.loads(raw)
            self._copy(message, queue)

    def _copy(self, message: dict[str, Any], queue: str) -> None:
        task_id = message["headers"]["id"]
        if task_id in self._done:
            return
        self._done.add(task_id)
        message["properties"]["delivery_tag"] = str(uuid.uuid4())
        self._client.lpush(queue, json.dumps(message))
