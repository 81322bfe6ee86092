"""`scripts/bench`: every figure that the README and docs/performance.md quote, by one command.

Each subcommand runs its programs in turns, and writes what came of them as JSON, as a table of
Markdown and as charts (SVG) beside each other. After every turn, so that what was measured stays
where a later turn fails.
"""

from __future__ import annotations

import argparse
import importlib
import json
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console

from loadtests.benchmarks.benchmark import Benchmark, BenchmarkFailedError, Plan, Turn
from loadtests.benchmarks.charts import draw
from loadtests.benchmarks.results import as_json, results_of
from loadtests.benchmarks.subjects import imports, job, launch, quota, scale, settle, urgent
from loadtests.benchmarks.subjects.options import bounded
from loadtests.benchmarks.table import markdown, print_results
from loadtests.benchmarks.turns import run_case, run_turns

BENCHMARKS = [
    job.BENCHMARK,
    scale.BENCHMARK,
    quota.BENCHMARK,
    urgent.BENCHMARK,
    launch.BENCHMARK,
    settle.BENCHMARK,
    imports.BENCHMARK,
]
RIVALS = "rivals"
"""A subcommand with options and contestants of its own: `loadtests.benchmarks.rivals`."""


def main(arguments: Sequence[str]) -> int:
    """Measure; return 0, 1 where a program failed, 130 for Ctrl-C."""
    if arguments and arguments[0] == RIVALS:
        rivals = importlib.import_module("loadtests.benchmarks.rivals.__main__")
        return int(rivals.main(list(arguments[1:])))
    options = parse(arguments)
    signal.signal(signal.SIGTERM, _unwind)
    benchmark = next(one for one in BENCHMARKS if one.name == options.benchmark)
    try:
        _measure(benchmark, options)
    except BenchmarkFailedError as failure:
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
    commands.add_parser(RIVALS, help="beside what one would pick instead", add_help=False)
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
    """
    plan = benchmark.plan(options)
    said = {name: value for name, value in vars(options).items() if name != "output"}
    turns: list[Turn] = []
    for turn in run_turns(plan, runs=options.runs, tell=_tell, run=run_case):
        turns.append(turn)
        figures = as_json(benchmark.name, plan, turns, options=said, now=datetime.now(UTC))
        _write(options.output, benchmark.name, plan, turns, figures)
    print_results(plan, results_of(turns), Console(stderr=options.json, highlight=False))
    _tell(f"Written to {options.output}/{benchmark.name}*")
    if options.json:
        print(json.dumps(figures))


def _write(
    folder: Path, name: str, plan: Plan, turns: Sequence[Turn], figures: dict[str, Any]
) -> None:
    results = results_of(turns)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    (folder / f"{name}.md").write_text(markdown(plan, results) + "\n", encoding="utf-8")
    for chart in plan.charts:
        if (drawing := draw(chart, results)) is not None:
            (folder / f"{name}-{chart.name}.svg").write_text(drawing, encoding="utf-8")


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _unwind(signum: int, _frame: FrameType | None) -> None:
    """Leave as by Ctrl-C, so that what was started is stopped in order."""
    sys.exit(128 + signum)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
