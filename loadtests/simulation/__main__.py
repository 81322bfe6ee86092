"""Print what the model says of one fleet, of the measured runs, or of a grid of fleets."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from loadtests.numbers import bounded
from loadtests.simulation.calibration import MEASURED, Run, UncalibratedError, read_runs
from loadtests.simulation.costs import MEASURED as MEASURED_COSTS
from loadtests.simulation.costs import Costs
from loadtests.simulation.model import Fleet, forecast
from loadtests.simulation.table import ADVICE, WIDTH, Result, as_json, table_of

DESCRIPTION = """\
How long a campaign takes on a fleet that you do not have yet, and what holds it up: a
discrete-event model with the costs of docs/performance.md. docs/scaling.md says what to make of it.
"""
ERROR_MOST = 0.15
"""By how much the model may be off a measured run."""
OPTIONS = (
    ("devices", 1_000_000, 1, 100_000_000_000, "audience, such as 10M or 1B"),
    ("projects", 1, 1, 1_000, "FCM projects"),
    ("machines", 1, 1, 1_000, "worker machines"),
    ("cores", 2, 1, 1_000, "of each worker machine"),
    ("processes", 4, 1, 1_000, "that send, on each worker machine"),
    ("quota", 600_000, 0, 1_000_000_000, "messages a minute of each project; 0 for none"),
    ("database-cores", 0, 0, 1_000, "of PostgreSQL's machine; 0: everything shares the first"),
    ("brokers", 1, 1, 1_000, "nodes among which the queues are divided"),
)
"""Name, default, least, most and meaning."""


def main(arguments: Sequence[str]) -> int:
    """Print what is asked for; return 0, 1 where the model is off or has no costs, or 130."""
    options = _parse(arguments)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    try:
        runs = read_runs(options.results) if options.results else list(MEASURED)
        if options.check:
            return _check(runs, console, to_json=options.json)
        costs = runs[0].fleet.costs if options.results else MEASURED_COSTS
        fleets = _grid(costs) if options.grid else [_fleet(options, costs)]
        _show([(fleet, forecast(fleet)) for fleet in fleets], console, to_json=options.json)
    except (UncalibratedError, OSError) as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/simulate",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, default, least, most, words in OPTIONS:
        parser.add_argument(
            f"--{name}",
            type=bounded(least, most),
            default=default,
            help=f"{words} (default: {default:,})",
        )
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--grid", action="store_true", help="1M to 1B devices, 1 to 200 projects")
    instead.add_argument("--check", action="store_true", help="the model beside what was measured")
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FOLDER",
        help="take costs and measured runs from what scripts/bench scale, job, quota and settle"
        " wrote there",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser.parse_args(arguments)


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


def _show(results: Sequence[Result], console: Console, *, to_json: bool) -> None:
    if to_json:
        print(json.dumps([as_json(*result) for result in results]))
        return
    console.print(table_of(results))
    for part in sorted({result.bottleneck for _, result in results}):
        console.print(f"Held up by {part}: what helps is {ADVICE[part]}.")


def _check(runs: Sequence[Run], console: Console, *, to_json: bool) -> int:
    """Show the model beside the measured runs; return 1 where it is off by more than 15 %."""
    found = []
    is_off = False
    for run in runs:
        said = forecast(run.fleet).messages_per_s
        error = said / run.messages_per_s - 1
        is_off |= abs(error) > ERROR_MOST
        found.append({"run": run.name, "measured": run.messages_per_s, "model": round(said, 1)})
        if not to_json:
            console.print(
                f"{run.name}: measured {run.messages_per_s:,.0f}/s, model {said:,.0f}/s"
                f" ({error:+.1%}{', OFF' if abs(error) > ERROR_MOST else ''})"
            )
    if to_json:
        print(json.dumps(found))
    return int(is_off)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
