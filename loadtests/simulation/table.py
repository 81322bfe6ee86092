"""How forecasts are written: a table for people, objects for programs, and what helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich import box
from rich.table import Table

from loadtests.simulation.model import Fleet, Forecast

WIDTH = 150
"""Where nobody's terminal says."""
ADVICE = {
    "quota": "more FCM projects, or a larger quota from Google",
    "workers": "more worker machines, or more sending processes on each where cores are idle",
    "plan": "the audience divided among several campaigns: each is planned by a process of its own",
    "counters": "the audience divided among several campaigns: each has its own row of counters",
    "PostgreSQL": "more cores for PostgreSQL, or the ledger divided",
    "broker": "another broker node, with queues divided among them",
}
"""Part → what to add where it is the busiest."""
Result = tuple[Fleet, Forecast]


def table_of(results: Sequence[Result]) -> Table:
    """Return a line for each fleet: its size, its time, and how busy each part is."""
    table = Table(show_edge=False, pad_edge=False, box=box.SIMPLE_HEAD)
    columns = ("devices", "projects", "machines", "PG cores", "brokers", "time", "messages/s")
    for column in columns:
        table.add_column(column, justify="right")
    for part in ADVICE:
        table.add_column(part, justify="right")
    table.add_column("held up by")
    for fleet, result in results:
        table.add_row(
            _short(fleet.devices),
            f"{fleet.projects:,}",
            f"{fleet.machines:,}",
            f"{fleet.database_cores:,}" if fleet.database_cores else "shared",
            f"{fleet.brokers:,}" if fleet.database_cores else "shared",
            _time(result.seconds),
            f"{result.messages_per_s:,.0f}",
            *(f"{result.busy[part]:.0%}" if part in result.busy else "–" for part in ADVICE),
            result.bottleneck,
        )
    return table


def _short(count: int) -> str:
    for size, letter in ((10**9, "B"), (10**6, "M")):
        if count >= size and count % size == 0:
            return f"{count // size}{letter}"
    return f"{count:,}"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"


def as_json(fleet: Fleet, result: Forecast) -> dict[str, object]:
    """Return what the table says, and the costs it follows from."""
    return {
        "fleet": asdict(fleet),
        "seconds": round(result.seconds, 1),
        "messages_per_s": round(result.messages_per_s, 1),
        "busy": {part: round(share, 3) for part, share in result.busy.items()},
        "bottleneck": result.bottleneck,
    }
