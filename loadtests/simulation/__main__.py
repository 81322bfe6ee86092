"""Print what the model says of one fleet, of the measured runs, or of a grid of fleets."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from loadtests.simulation.calibration import Run, UncalibratedError, read_runs
from loadtests.simulation.costs import MEASURED as MEASURED_COSTS
from loadtests.simulation.costs import Costs
from loadtests.simulation.model import Fleet, Forecast, forecast

DESCRIPTION = """\
How long a campaign takes on a fleet that you do not have yet, and what holds it up: a
discrete-event model with the costs of docs/performance.md. docs/scaling.md says what to make of it.
"""
MEASURED = (
    Run("1M, no quota, all on 2 cores", Fleet(devices=1_000_000, quota_per_minute=0), 22_580.0),
    Run("1M, quota 600,000, all on 2 cores", Fleet(devices=1_000_000), 9_790.0),
)
"""Runs that were measured (messages a second; docs/performance.md), to hold the model against."""
ADVICE = {
    "workers": "more worker machines",
    "PostgreSQL": "more cores for PostgreSQL, or the ledger divided",
    "broker": "another broker node, with queues divided among them",
    "counters": "the audience divided among several campaigns: each has its own row of counters",
    "quota": "more FCM projects, or a larger quota from Google",
}


def main(arguments: list[str]) -> int:
    """Print what is asked for; return 0, or 1 where the model is off or has no costs."""
    options = _parse(arguments)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    try:
        runs = read_runs(options.results) if options.results else list(MEASURED)
    except UncalibratedError as exc:
        print(exc, file=sys.stderr)
        return 1
    if options.check:
        return _check(runs, console)
    costs = runs[0].fleet.costs if options.results else MEASURED_COSTS
    fleets = list(_grid(costs)) if options.grid else [_fleet(options, costs)]
    results = [(fleet, forecast(fleet)) for fleet in fleets]
    if options.json:
        print(json.dumps([_as_json(*result) for result in results]))
    else:
        console.print(_table(results))
        for part in sorted({result.bottleneck for _, result in results}):
            console.print(f"Held up by {part}: what helps is {ADVICE[part]}.")
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/simulate",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, default, words in (
        ("devices", 1_000_000, "audience"),
        ("projects", 1, "FCM projects"),
        ("machines", 1, "worker machines"),
        ("cores", 2, "of each worker machine"),
        ("processes", 4, "that send, on each worker machine"),
        ("quota", 600_000, "messages a minute of each project; 0 for none"),
        ("database-cores", 0, "of PostgreSQL's own machine; 0: everything shares the first"),
        ("brokers", 1, "nodes among which the queues are divided"),
    ):
        parser.add_argument(
            f"--{name}", type=_count, default=default, help=f"{words} (default: {default:,})"
        )
    parser.add_argument("--grid", action="store_true", help="1M to 1B devices, 1 to 200 projects")
    parser.add_argument("--check", action="store_true", help="the model beside what was measured")
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FOLDER",
        help="take costs and measured runs from what scripts/bench scale and quota wrote there",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    number = int(text.replace(",", ""))
    if number < 0:
        message = f"{text} is negative"
        raise argparse.ArgumentTypeError(message)
    return number


def _fleet(options: argparse.Namespace, costs: Costs) -> Fleet:
    return Fleet(
        devices=options.devices,
        projects=options.projects,
        machines=options.machines,
        cores=options.cores,
        processes=options.processes,
        quota_per_minute=options.quota,
        database_cores=options.database_cores,
        brokers=options.brokers,
        costs=costs,
    )


def _grid(costs: Costs) -> Iterator[Fleet]:
    """Yield fleets that carry their projects' quota, and some that do not."""
    for devices in (1_000_000, 10_000_000, 100_000_000, 1_000_000_000):
        for projects, machines, database_cores, brokers in (
            (1, 1, 2, 1),
            (10, 4, 4, 1),
            (25, 10, 8, 1),
            (50, 20, 16, 2),
            (200, 100, 32, 4),
        ):
            yield Fleet(
                devices=devices,
                projects=projects,
                machines=machines,
                cores=4,
                processes=8,
                database_cores=database_cores,
                brokers=brokers,
                costs=costs,
            )


def _table(results: list[tuple[Fleet, Forecast]]) -> Table:
    table = Table(show_edge=False, pad_edge=False, box=box.SIMPLE_HEAD)
    columns = ("devices", "projects", "workers", "PG cores", "brokers", "time", "messages/s")
    for column in columns:
        table.add_column(column, justify="right")
    for part in ADVICE:
        table.add_column(part, justify="right")
    table.add_column("held up by")
    for fleet, result in results:
        table.add_row(
            _short(fleet.devices),
            *(
                f"{number:,}"
                for number in (fleet.projects, fleet.machines, fleet.database_cores, fleet.brokers)
            ),
            _time(result.seconds),
            f"{result.messages_per_s:,.0f}",
            *(_share(result, part) for part in ADVICE),
            result.bottleneck,
        )
    return table


def _short(count: int) -> str:
    for size, letter in ((10**9, "B"), (10**6, "M")):
        if count >= size and count % size == 0:
            return f"{count // size}{letter}"
    return f"{count:,}"


def _share(result: Forecast, part: str) -> str:
    return f"{result.busy[part]:.0%}" if part in result.busy else "–"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"


def _check(runs: Sequence[Run], console: Console) -> int:
    """Show the model beside the measured runs; return 1 where it is off by more than 15 %."""
    is_off = False
    for run in runs:
        said = forecast(run.fleet).messages_per_s
        error = said / run.messages_per_s - 1
        is_off |= abs(error) > 0.15
        console.print(
            f"{run.name}: measured {run.messages_per_s:,.0f}/s, model {said:,.0f}/s ({error:+.1%})"
        )
    return 1 if is_off else 0


def _as_json(fleet: Fleet, result: Forecast) -> dict[str, object]:
    return {
        "fleet": asdict(fleet),
        "seconds": round(result.seconds, 1),
        "messages_per_s": round(result.messages_per_s, 1),
        "busy": {part: round(share, 3) for part, share in result.busy.items()},
        "bottleneck": result.bottleneck,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
