"""The whole engine, running on a database of the benchmarks' own for each number of devices."""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.error import URLError

import redis

from loadtests.waiting import wait_until
from scripts.demo_run.api import Json
from scripts.demo_run.errors import DemoError
from scripts.demo_run.guards import alone, refuse_full_disk, refuse_small_disk
from scripts.demo_run.options import Options
from scripts.demo_run.screen import Screen
from scripts.demo_run.stack import Stack, running_stack
from scripts.embedded.folders import server_account
from scripts.embedded.servers import profile_folder

T = TypeVar("T")
ENDED = ("completed", "failed", "cancelled", "paused")
MESSAGE = {"title": "Good news", "message": "A message of the usual length, to be read at once."}
QUEUES = ("high_priority", "default", "low_priority")


@contextlib.contextmanager
def running_system(
    wanted: argparse.Namespace, *, projects: int = 1, outcomes: dict[str, float] | None = None
) -> Iterator[Stack]:
    """Have the engine running within the block, with so many devices: the same ones each time.

    `wanted` has the options of `program.parser_of`.

    Raises:
        DemoError: it cannot be had, or another benchmark runs on that database.
        ServersError: as above, for the servers.
    """
    options = Options(
        devices=wanted.devices,
        latency_ms=wanted.latency_ms,
        quota=wanted.quota,
        outcomes=outcomes or {},
        workers=wanted.workers,
        projects=projects,
        seed=0,
        serve=False,
        port=0,
        json=True,
    )
    suffix = f"-{projects}" if projects > 1 else ""
    folder = profile_folder(f"bench-{wanted.devices}{suffix}", account=server_account())
    with alone(folder, what="scripts/bench"):
        if not (folder / "prepared").exists():  # what is there already needs no more room
            refuse_small_disk(folder, wanted.devices)
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


def wait_for(
    stack: Stack, look: Callable[[], T | None], *, within_s: float, what: str, every_s: float
) -> T:
    """Look until there is something to see, and return it.

    Raises:
        DemoError: a part of the engine died meanwhile.
        TooLateError: there was nothing in time.
    """

    def look_at_living() -> T | None:
        stack.children.check()
        return look()

    return wait_until(look_at_living, within_s=within_s, what=what, every_s=every_s)


def wait_until_ended(stack: Stack, campaign: int, *, within_s: float, every_s: float = 0.5) -> Json:
    """Return the campaign's last `/stats/`; errors as `wait_for`."""

    def last_stats() -> Json | None:
        stats: Json = stack.api.get(f"campaigns/{campaign}/stats/")
        return stats if stats["status"] in ENDED else None

    what = f"the end of campaign {campaign}"
    return wait_for(stack, last_stats, within_s=within_s, what=what, every_s=every_s)


def wait_until_idle(stack: Stack, *, within_s: float = 120.0) -> None:
    """Wait until no message waits in a queue and none arrives; errors as `wait_for`."""
    broker = redis.Redis.from_url(os.environ["REDIS_URL"])
    before = -1

    def is_idle() -> bool:
        nonlocal before
        received = int(stack.emulator.control.stats()["received"])
        waiting = sum(int(broker.llen(queue)) for queue in QUEUES)
        was, before = before, received
        return received == was and not waiting

    wait_for(stack, is_idle, within_s=within_s, what="queues without messages", every_s=0.7)


def cancel(stack: Stack, campaign: int) -> None:
    """Cancel a campaign, unless it ended by itself, and wait until nothing of it is left."""
    with contextlib.suppress(DemoError, URLError):  # refused where it has ended meanwhile
        stack.api.post(f"campaigns/{campaign}/cancel/", {})
    wait_until_ended(stack, campaign, within_s=120.0, every_s=0.2)
    wait_until_idle(stack)
