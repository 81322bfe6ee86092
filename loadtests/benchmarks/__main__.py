"""`scripts/bench`: every figure that the README and docs/performance.md quote, by one command.

Each subcommand runs its programs in turns, and writes what came of them as JSON, as a table of
Markdown and as charts (SVG) beside each other. After every turn, so that what was measured stays
where a later turn fails.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from loadtests.benchmarks import report
from loadtests.benchmarks.benchmark import Benchmark, BenchmarkFailedError, Case, Turn
from loadtests.benchmarks.results import as_json
from loadtests.benchmarks.subjects import (
    imports,
    job,
    launch,
    quota,
    rivals,
    scale,
    settle,
    urgent,
)
from loadtests.benchmarks.turns import run_case, run_turns
from loadtests.numbers import bounded
from scripts.demo_run.leaving import leave_in_order_when_told

BENCHMARKS = [
    job.BENCHMARK,
    scale.BENCHMARK,
    quota.BENCHMARK,
    urgent.BENCHMARK,
    launch.BENCHMARK,
    settle.BENCHMARK,
    imports.BENCHMARK,
    rivals.BENCHMARK,
]


def main(arguments: Sequence[str]) -> int:
    """Measure; return 0, 1 where a program failed, 130 for Ctrl-C."""
    options = parse(arguments)
    leave_in_order_when_told()
    benchmark = next(one for one in BENCHMARKS if one.name == options.benchmark)
    try:
        _measure(benchmark, options)
    except (BenchmarkFailedError, OSError) as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; what was measured until now is kept.", file=sys.stderr)
        return 130
    return 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options; without a subcommand it is `job`."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure the engine on this machine, in turns: medians with their spread, JSON,"
        " a table and charts.",
    )
    commands = parser.add_subparsers(dest="benchmark", metavar="subject")
    for benchmark in BENCHMARKS:
        command = commands.add_parser(
            benchmark.name, help=benchmark.summary, description=benchmark.summary
        )
        benchmark.add_options(command)
        _add_common(command, benchmark.name)
    words = list(arguments)
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help")):
        words.insert(0, job.BENCHMARK.name)
    return parser.parse_args(words)


def _add_common(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument("--runs", type=bounded(1, 100), default=5, help="turns (default: 5)")
    parser.add_argument("--json", action="store_true", help="figures on the last line of stdout")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(".data/benchmarks"),
        help=f"folder of {name}.json, {name}.md and the charts (default: .data/benchmarks)",
    )


def _measure(benchmark: Benchmark, options: argparse.Namespace) -> None:
    """Run the turns; print and write what came of them.

    Raises:
        BenchmarkFailedError: a program failed; the turns before it are written.
        OSError: the folder of the results cannot be written to.
    """
    report.make_folder(options.output)
    plan = benchmark.plan(options)
    for name, reason in plan.skipped.items():
        _tell(f"{name} is skipped. {reason}")
    said = {name: value for name, value in vars(options).items() if name != "output"}
    failed: dict[str, str] = {}
    turns: list[Turn] = []
    for turn in run_turns(
        plan, runs=options.runs, tell=_tell, run=lambda case: run(case, failed=failed)
    ):
        turns.append(turn)
        now = datetime.now(UTC)
        figures = as_json(benchmark.name, plan, turns, failed=failed, options=said, now=now)
        report.write(options.output, benchmark.name, plan, turns, figures)
    console = Console(stderr=options.json, highlight=False)
    report.show(plan, turns, console, missing={**plan.skipped, **failed})
    _tell(f"Written to {options.output}/{benchmark.name}*")
    if options.json:
        print(json.dumps(figures))


def run(case: Case, *, failed: dict[str, str]) -> dict[str, float]:
    """Run a case; one that may fail has no figures in this turn, and `failed` has the reason.

    Raises:
        BenchmarkFailedError: one failed that may not.
    """
    try:
        return run_case(case)
    except BenchmarkFailedError as failure:
        if not case.may_fail:
            raise
        failed[case.name] = str(failure)
        _tell(str(failure))
        return {}


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
