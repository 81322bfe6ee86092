"""The whole engine, running on a database of the benchmarks' own for each number of devices."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any
from urllib.error import URLError

import psycopg2
import redis

from loadtests.fcm_emulator.control import ControlError
from scripts.demo_run.api import Json
from scripts.demo_run.errors import DemoError
from scripts.demo_run.guards import alone, refuse_full_disk, refuse_small_disk
from scripts.demo_run.options import Options
from scripts.demo_run.screen import Screen
from scripts.demo_run.stack import Stack, running_stack
from scripts.embedded import ServersError
from scripts.embedded.folders import server_account
from scripts.embedded.servers import profile_folder

FAILURES = (DemoError, ServersError, ControlError, psycopg2.Error, redis.RedisError, OSError)
ENDED = ("completed", "failed", "cancelled", "paused")
MESSAGE = {"title": "Good news", "message": "A message of the usual length, to be read at once."}
QUEUES = ("high_priority", "default", "low_priority")


def run(measure: Callable[[], dict[str, Any]]) -> None:
    """Print what `measure` returns as JSON; end with 1 and a sentence where it fails."""
    signal.signal(signal.SIGTERM, _unwind)
    try:
        print(json.dumps(measure()))
    except FAILURES as failure:
        sys.exit(str(failure).strip())


def _unwind(signum: int, _frame: FrameType | None) -> None:
    """Leave as by Ctrl-C, so that everything is stopped in order."""
    sys.exit(128 + signum)


@contextlib.contextmanager
def running_system(
    *,
    devices: int,
    workers: int,
    quota: int,
    latency_ms: float,
    projects: int = 1,
    outcomes: dict[str, float] | None = None,
) -> Iterator[Stack]:
    """Have the engine running within the block, with so many devices: the same ones each time.

    Raises:
        DemoError: it cannot be had, or another benchmark runs on that database.
        ServersError: as above, for the servers.
    """
    options = Options(
        devices=devices,
        latency_ms=latency_ms,
        quota=quota,
        outcomes=outcomes or {},
        workers=workers,
        projects=projects,
        seed=0,
        serve=False,
        port=0,
        json=True,
    )
    suffix = f"-{projects}" if projects > 1 else ""
    folder = profile_folder(f"bench-{devices}{suffix}", account=server_account())
    with alone(folder):
        if not (folder / "prepared").exists():  # what is there already needs no more room
            refuse_small_disk(folder, devices)
        with running_stack(options, folder=folder, screen=Screen(to_stderr=True)) as stack:
            (folder / "prepared").touch()
            refuse_full_disk(folder)
            yield stack


def create(stack: Stack, **fields: Any) -> int:
    """Create a campaign, to everybody if nothing else is said; return its id."""
    audience = {} if "target_user_ids" in fields else {"target_all": True}
    return int(stack.api.post("campaigns/", MESSAGE | audience | fields)["id"])


def launch(stack: Stack, campaign: int) -> float:
    """Ask for its launch; return when that was (UNIX time, the emulator's clock)."""
    asked_at = time.time()
    stack.api.post(f"campaigns/{campaign}/send/", {})
    return asked_at


def wait_until_ended(stack: Stack, campaign: int, *, within_s: float, every_s: float = 0.5) -> Json:
    """Return the campaign's last `/stats/`.

    Raises:
        DemoError: it does not end in time, or a part of the engine dies.
    """
    deadline = time.monotonic() + within_s
    while True:
        stack.children.check()
        stats: Json = stack.api.get(f"campaigns/{campaign}/stats/")
        if stats["status"] in ENDED:
            return stats
        if time.monotonic() > deadline:
            message = f"Campaign {campaign} is {stats['status']} after {within_s:,.0f} s."
            raise DemoError(message)
        time.sleep(every_s)


def wait_until_idle(stack: Stack, *, within_s: float = 120.0) -> None:
    """Wait until no message waits in a queue and none arrives at the emulator.

    Raises:
        DemoError: that does not come about in time.
    """
    broker = redis.Redis.from_url(os.environ["REDIS_URL"])
    deadline = time.monotonic() + within_s
    before = -1
    while True:
        received = int(stack.emulator.control.stats()["received"])
        waiting = sum(int(broker.llen(queue)) for queue in QUEUES)
        if received == before and not waiting:
            return
        before = received
        if time.monotonic() > deadline:
            message = f"After {within_s:,.0f} s {waiting} messages still wait in the queues."
            raise DemoError(message)
        time.sleep(0.7)


def cancel(stack: Stack, campaign: int) -> None:
    """Cancel a campaign, unless it ended by itself, and wait until nothing of it is left."""
    with contextlib.suppress(DemoError, URLError):  # refused where it has ended meanwhile
        stack.api.post(f"campaigns/{campaign}/cancel/", {})
    wait_until_ended(stack, campaign, within_s=120.0, every_s=0.2)
    wait_until_idle(stack)
