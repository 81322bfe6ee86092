"""How much of a project's quota several senders use together, and how often they exceed it.

`python -m loadtests.benchmarks.quota --minutes 3 --quota 60000` prints one JSON object. The senders
are bare (no Celery, no database), the pace is the real one in a real Redis (`REDIS_URL`, or one of
its own), and the emulated provider counts in windows of a minute whose phase nobody is told.
`--paced-at` lets them believe in another quota than the provider's: set too high, the refusals show
how they take it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import redis

from loadtests.fcm_emulator.process import launch
from pushcore.credentials import AccessTokens
from pushcore.gate import Live
from pushcore.messages import AddressKind, Content, Platform, Priority, Template
from pushcore.order import Addressed, Order
from pushcore.pacing import Pacer
from pushcore.retry import Guarantee
from pushcore.sender import Sender
from pushcore.transports.http2 import Http2Transport
from scripts.demo_run.leaving import leave_in_order_when_told
from scripts.embedded import running_servers

BATCH = 500
STEPS_PER_MINUTE = 600
"""The emulator counts by steps of 100 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What each sender process is told."""

    url: str
    ca_file: str
    account: dict[str, Any]
    redis_url: str
    paced_at: int
    priority: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a run measured, by the emulator's word."""

    quota_per_minute: int
    paced_at: int
    priority: str
    processes: int
    seconds: float
    accepted: int
    accepted_twice: int
    used_share: float
    """Accepted messages by what the quota allows in the time."""
    busiest_minute: int
    """The most messages that arrived in any 60 s at all, refused ones included."""
    http_429: int
    share_429: float
    """Refusals by all that arrived."""


def measure(
    *, quota: int, paced_at: int, minutes: float, processes: int, priority: str
) -> Measured:
    """Let `processes` senders send for so many minutes, as fast as the shared pace allows."""
    phase = str(random.randrange(1 << 30))
    with (
        _redis_url() as redis_url,
        tempfile.TemporaryDirectory() as tls,
        launch("--tls-dir", tls, "--quota", str(quota), "--seed", phase) as emulator,
    ):
        project = f"quota-{phase}"
        job = Job(
            url=emulator.url,
            ca_file=str(emulator.ca_file),
            account=emulator.control.service_account(project),
            redis_url=redis_url,
            paced_at=paced_at,
            priority=priority,
            seconds=minutes * 60,
        )
        _in_processes(job, processes)
        stats = emulator.control.stats()
    seconds = stats["last_accept_at"] - stats["first_accept_at"]
    refused = stats["by_status"].get("429", 0)
    return Measured(
        quota_per_minute=quota,
        paced_at=paced_at,
        priority=priority,
        processes=processes,
        seconds=round(seconds, 1),
        accepted=stats["accepted"],
        accepted_twice=stats["accepted_twice"],
        used_share=round(stats["accepted"] / (quota * max(seconds, minutes * 60) / 60), 4),
        busiest_minute=_busiest_minute(stats["rate"]["received"]),
        http_429=refused,
        share_429=round(refused / stats["received"], 5),
    )


@contextmanager
def _redis_url() -> Iterator[str]:
    if url := os.environ.get("REDIS_URL"):
        yield url
        return
    with running_servers("bench") as servers:
        yield servers.redis_url


def _in_processes(job: Job, processes: int) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=_work, args=(job, number), daemon=True)
        for number in range(processes)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _work(job: Job, number: int) -> None:
    """Send batch after batch of fresh devices; what a block hands back is not tried again."""
    ends_at = time.monotonic() + job.seconds
    sender = _sender(job)
    batch = 0
    while (left_s := ends_at - time.monotonic()) > 0:
        devices = [
            # 150 characters, as registration tokens have.
            Addressed(device, f"{number}-{batch}-{device:0140d}", AddressKind.TOKEN, Platform.IOS)
            for device in range(BATCH)
        ]
        order = Order(
            template=Template(
                Content(campaign_id=1, title="Good news", body="Read at once."),
                now=datetime.now(UTC),
            ),
            priority=Priority(job.priority),
            guarantee=Guarantee.AT_MOST_ONCE,
            campaign_key="1",
            deadline=ends_at,
            poll=Live,
        )
        report = sender.send(devices, order)
        batch += 1
        time.sleep(min(report.blocked_s, left_s))


def _sender(job: Job) -> Sender:
    project = job.account["project_id"]
    tokens = AccessTokens(job.account, ca_file=job.ca_file)
    transport = Http2Transport(
        endpoint=job.url, project_id=project, access_token=tokens.current, ca_file=job.ca_file
    )
    pacer = Pacer(
        redis.Redis.from_url(job.redis_url), project_key=project, quota_per_minute=job.paced_at
    )
    return Sender(transport=transport, tokens=tokens, pacer=pacer)


def _busiest_minute(steps: list[int]) -> int:
    """Return the most in any 600 steps in a row."""
    running = busiest = sum(steps[:STEPS_PER_MINUTE])
    for gone, come in zip(steps, steps[STEPS_PER_MINUTE:], strict=False):
        running += come - gone
        busiest = max(busiest, running)
    return busiest


def main() -> None:
    """Measure as the command line says; print the result as JSON."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.benchmarks.quota")
    add = parser.add_argument
    add("--minutes", type=float, default=3.0)
    add("--quota", type=int, default=60_000, help="messages a minute that the provider grants")
    add("--paced-at", type=int, help="the quota that the senders believe in; default: that one")
    add("--processes", type=int, default=4)
    add("--priority", choices=[one.value for one in Priority], default="high")
    arguments = parser.parse_args()
    leave_in_order_when_told()
    measured = measure(
        quota=arguments.quota,
        paced_at=arguments.paced_at or arguments.quota,
        minutes=arguments.minutes,
        processes=arguments.processes,
        priority=arguments.priority,
    )
    print(json.dumps(asdict(measured)))


if __name__ == "__main__":
    main()
