"""The broker, who consumes from its queues, and beat."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from celery import current_app
from django.conf import settings
from kombu import Connection, Queue
from kombu.exceptions import OperationalError

from campaigns.doctor.findings import Finding, critical, ok, warning
from campaigns.models import RescueRun

_PATIENCE_S: Final = 2.0
"""Workers answer at once, also while they send: their main process does nothing else."""
_OLD_S: Final = 600
"""Only a bulk campaign behind others waits for so long."""


def _broker() -> Connection:
    connection: Connection = current_app.connection_for_read()
    try:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
    except Exception as exc:
        connection.release()
        raise OperationalError(str(exc)) from exc
    return connection


def check_broker(_now: datetime) -> Sequence[Finding]:
    """Look whether the broker answers."""
    _broker().release()
    return [ok("The broker answers.")]


def check_queues(_now: datetime) -> Sequence[Finding]:
    """Look at how many messages wait in each queue, and for how long."""
    with _broker() as connection:
        waiting = [_waiting(connection, queue) for queue in settings.CELERY_TASK_QUEUES]
    old = [(name, age) for name, _, age in waiting if age is not None and age > _OLD_S]
    if old:
        words = ", ".join(f"{name} since {age / 60:,.0f} min" for name, age in old)
        return [
            warning(
                f"Messages wait for long: {words}.",
                "Look whether its workers are alive and busy; add workers for that queue.",
            )
        ]
    words = ", ".join(_in_words(*one) for one in waiting if one[1])
    return [ok(f"Waiting: {words}." if words else "All queues are empty.")]


def _in_words(name: str, length: int, age_s: float | None) -> str:
    age = "" if age_s is None else f" (oldest {age_s:,.0f} s)"
    return f"{name} {length:,}{age}"


def _waiting(connection: Connection, queue: Queue) -> tuple[str, int, float | None]:
    """Return the queue's name, how many messages wait in it, and the oldest one's age."""
    channel = connection.channel()
    try:
        declared: Any = queue(channel).queue_declare(passive=True)
    except connection.channel_errors:
        return queue.name, 0, None  # never used so far
    length = int(declared.message_count)
    return queue.name, length, _oldest_age_s(channel, queue.name) if length else None


def _oldest_age_s(channel: Any, queue: str) -> float | None:
    """Return the age of the message that is next; None where a broker shows it to nobody.

    RabbitMQ would count a look as a delivery, of which a message has twenty.
    """
    client = getattr(channel, "client", None)
    if client is None:
        return None
    head = client.lindex(queue, -1)
    published_at = json.loads(head)["headers"].get("published_at") if head else None
    return max(0.0, time.time() - published_at) if published_at else None


def check_workers(_now: datetime) -> Sequence[Finding]:
    """Look whether somebody consumes from each queue."""
    _broker().release()  # else nobody's answer would look like nobody
    answers = current_app.control.inspect(timeout=_PATIENCE_S).active_queues() or {}
    served = {queue["name"] for queues in answers.values() for queue in queues}
    wanted = [queue.name for queue in settings.CELERY_TASK_QUEUES]
    missing = [name for name in wanted if name not in served]
    if not missing:
        return [ok(f"Workers: {len(answers)}; every queue has one.")]
    start = f"celery --app settings worker -Q {','.join(missing)}"
    who = "No worker answers" if not answers else f"Nobody consumes {', '.join(missing)}"
    return [critical(f"{who}: what is sent there waits for ever.", f"Run: {start}")]


def check_beat(now: datetime) -> Sequence[Finding]:
    """Look whether beat has its tasks sent on time, by when the rescue looked last."""
    run = RescueRun.objects.filter(pk=1).first()
    advice = "Run: celery --app settings beat; and a worker with -Q rescue"
    if run is None:
        return [critical("Beat has never run: nothing that is lost would be found.", advice)]
    late = now - run.ran_at
    if late > timedelta(seconds=12 * settings.RESCUE_INTERVAL_S):
        return [
            critical(
                f"Beat does not run: the rescue looked {late.total_seconds():,.0f} s ago.", advice
            )
        ]
    if late > timedelta(seconds=3 * settings.RESCUE_INTERVAL_S):
        return [
            warning(
                f"The rescue is late: it looked {late.total_seconds():,.0f} s ago.",
                "Look whether the workers of the queue rescue have room.",
            )
        ]
    return [ok("Beat is alive and on time.")]
