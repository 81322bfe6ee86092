"""How soon an urgent campaign arrives while a large one is going out, beside an idle engine.

`python -m loadtests.benchmarks.engine.urgent --devices 1000000` prints one JSON object. The urgent
campaign (high priority, to 1,000 devices) is launched again and again, first on the idle engine,
then while a campaign of normal priority to everybody goes out at the quota. When messages were
accepted is the emulator's word: it watches the thousand.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from loadtests.benchmarks.engine.program import parser_of, run
from loadtests.benchmarks.engine.system import (
    cancel,
    create,
    launch,
    running_system,
    wait_for,
    wait_until_ended,
)
from scripts.demo_run.errors import DemoError
from scripts.demo_run.stack import Stack

URGENT = 1_000
USERS = [f"user{number}" for number in range(URGENT * 9 // 10)]
"""Whose devices are the first thousand (`audience`): ten devices for nine users."""
ALL_WITHIN_S = 60.0
BULK_SHARE = 0.7
"""The launches fill so much of the bulk campaign's time: it must outlast them."""


class Arrival(NamedTuple):
    """Seconds from the request to launch to the first and to the last acceptance."""

    first_s: float
    last_s: float


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Measure both; DemoError where the bulk campaign ended before the last launch."""
    if options.devices < URGENT:
        message = f"The urgent campaign alone is for {URGENT:,} devices."
        raise DemoError(message)
    with running_system(options) as stack:
        _arrive(stack)  # opens connections
        idle = [_arrive(stack) for _ in range(options.launches)]
        bulk = create(stack, priority="normal")
        _watch(stack)
        # The bulk campaign begins with the thousand: those are not to be taken for urgent ones.
        _wait_for_all(stack, asked_at=launch(stack, bulk))
        every_s = options.devices / (options.quota / 60) * BULK_SHARE / options.launches
        beside = [_arrive(stack, every_s=every_s) for _ in range(options.launches)]
        status = stack.api.get(f"campaigns/{bulk}/stats/")["status"]
        refused = stack.emulator.control.stats()["by_status"].get("429", 0)
        cancel(stack, bulk)
    if status != "processing":
        message = "The bulk campaign ended before the last launch: take more devices."
        raise DemoError(message)
    return {"idle": _figures(idle), "beside bulk": _figures(beside), "http_429": refused}


def _arrive(stack: Stack, *, every_s: float = 0.0) -> Arrival:
    """Launch the urgent campaign, and wait until it has arrived; take `every_s` at least."""
    ends_at = time.monotonic() + every_s
    campaign = create(stack, priority="high", target_user_ids=USERS)
    _watch(stack)
    asked_at = launch(stack, campaign)
    arrival = _wait_for_all(stack, asked_at=asked_at)
    wait_until_ended(stack, campaign, within_s=ALL_WITHIN_S, every_s=0.1)
    time.sleep(max(0.0, ends_at - time.monotonic()))
    return arrival


def _watch(stack: Stack) -> None:
    from scripts.demo_run.audience import address_of  # its models ask for the settings

    stack.emulator.control.watch([address_of(0, number) for number in range(URGENT)])


def _wait_for_all(stack: Stack, *, asked_at: float) -> Arrival:
    def all_times() -> list[float] | None:
        times = stack.emulator.control.watched()
        return times if len(times) >= URGENT else None

    what = f"all {URGENT:,} devices reached"
    times = wait_for(stack, all_times, within_s=ALL_WITHIN_S, what=what, every_s=0.05)
    return Arrival(times[0] - asked_at, times[-1] - asked_at)


def _figures(arrivals: Sequence[Arrival]) -> dict[str, float]:
    first = sorted(arrival.first_s for arrival in arrivals)
    last = sorted(arrival.last_s for arrival in arrivals)
    return {
        "first p50 ms": round(percentile(first, 0.5) * 1e3, 1),
        "first p99 ms": round(percentile(first, 0.99) * 1e3, 1),
        "last p50 ms": round(percentile(last, 0.5) * 1e3, 1),
        "last p99 ms": round(percentile(last, 0.99) * 1e3, 1),
    }


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile: of twenty values the 99th is the largest."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def main() -> None:
    """Measure as the command line says; print the result as JSON."""
    parser = parser_of("loadtests.benchmarks.engine.urgent")
    parser.set_defaults(quota=600_000)
    parser.add_argument("--launches", type=int, default=20)
    options = parser.parse_args()
    run(lambda: measure(options))


if __name__ == "__main__":
    main()
