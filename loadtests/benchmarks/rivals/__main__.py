"""`scripts/bench rivals`: Pushcore beside what one would pick instead, in turns.

A rival that cannot be had here, or that does not come to its end, is named with the reason, on the
screen and in the JSON; the others are measured.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from loadtests.benchmarks.benchmark import BenchmarkFailedError, Case, Cell, Turn
from loadtests.benchmarks.charts import draw
from loadtests.benchmarks.results import as_json, results_of, verdicts_of
from loadtests.benchmarks.rivals.catalogue import RIVALS, Rival
from loadtests.benchmarks.rivals.comparison import OURS, Comparison, draw_up
from loadtests.benchmarks.rivals.environments import NotInstalledError, command_of, version_of
from loadtests.benchmarks.rivals.isolation import NoIsolationError, way_in
from loadtests.benchmarks.rivals.report import tables
from loadtests.benchmarks.subjects.options import bounded
from loadtests.benchmarks.table import sentence_of
from loadtests.benchmarks.turns import BUSY, MACHINE, run_case, run_turns

NAME = "rivals"


def main(arguments: Sequence[str]) -> int:
    """Compare; return 0, 1 where Pushcore's own measurement failed, 130 for Ctrl-C."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, _unwind)
    try:
        _compare(options)
    except BenchmarkFailedError as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; what was measured until now is kept.", file=sys.stderr)
        return 130
    return 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench rivals",
        description="Pushcore beside what one would pick instead: unmodified libraries, each in an"
        " environment of its own and in a network namespace where Google's names lead to the"
        " emulator. They are installed on the first run.",
    )
    add = parser.add_argument
    add("--runs", type=bounded(1, 100), default=5, help="turns (default: 5)")
    add("--devices", type=bounded(1_000, 10_000_000), default=300_000, help="of Pushcore's job")
    add("--workers", type=bounded(1, 64), default=4, help="sending processes")
    add("--latency-ms", type=float, default=20.0, help="of the emulated provider (default: 20)")
    add("--size", type=_share, default=1.0, help="share of the rivals' usual messages, for a trial")
    add("--json", action="store_true", help="figures on the last line of stdout")
    add("--output", type=Path, default=Path(".data/benchmarks"), help="folder of the results")
    return parser.parse_args(arguments)


def _share(text: str) -> float:
    share = float(text)
    if not 0 < share <= 100:
        message = f"{text} is not within 0 and 100"
        raise argparse.ArgumentTypeError(message)
    return share


def _compare(options: argparse.Namespace) -> None:
    """Run the turns, and write what came of them after each.

    Raises:
        BenchmarkFailedError: one of Pushcore's own programs failed.
    """
    skipped: dict[str, str] = {}
    comparison = draw_up(those_at_hand(skipped), options, cores=os.cpu_count() or 1)
    failures: dict[str, str] = {}
    turns: list[Turn] = []
    figures: dict[str, Any] = {}
    for turn in run_turns(
        comparison.plan, runs=options.runs, tell=_tell, run=lambda case: run(case, failures)
    ):
        turns.append(turn)
        figures = _figures(comparison, turns, options) | {"skipped": skipped, "failed": failures}
        _write(options.output, comparison, turns, figures)
    _print(comparison, turns, skipped | failures, to=sys.stderr if options.json else sys.stdout)
    if options.json:
        print(json.dumps(figures))


def those_at_hand(skipped: dict[str, str]) -> list[Rival]:
    """Return the rivals that can run here; put the others into `skipped`, with the reason."""
    found = []
    for rival in RIVALS:
        try:
            way_in()
            command_of(rival)
            found.append(rival)
        except (NoIsolationError, NotInstalledError) as reason:
            skipped[rival.name] = str(reason)
            _tell(f"{rival.name} is skipped. {reason}")
    return found


def run(case: Case, failures: dict[str, str]) -> dict[str, float]:
    """Measure; a rival that fails has no figures in this turn, and the reason is kept."""
    try:
        return run_case(case)
    except BenchmarkFailedError as failure:
        if OURS in case.command:
            raise
        failures[case.name] = str(failure)
        _tell(str(failure))
        return {}


def _figures(
    comparison: Comparison, turns: Sequence[Turn], options: argparse.Namespace
) -> dict[str, Any]:
    said = {name: value for name, value in vars(options).items() if name != "output"}
    figures = as_json(NAME, comparison.plan, turns, options=said, now=datetime.now(UTC))
    return figures | {"versions": {rival.name: version_of(rival) for rival in RIVALS}}


def _write(
    folder: Path, comparison: Comparison, turns: Sequence[Turn], figures: dict[str, Any]
) -> None:
    results = results_of(turns)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{NAME}.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    (folder / f"{NAME}.md").write_text(tables(comparison, results) + "\n", encoding="utf-8")
    for chart in comparison.plan.charts:
        if (drawing := draw(chart, results)) is not None:
            (folder / f"{NAME}-{chart.name}.svg").write_text(drawing, encoding="utf-8")


def _print(
    comparison: Comparison, turns: Sequence[Turn], missing: dict[str, str], *, to: Any
) -> None:
    results = results_of(turns)
    print(tables(comparison, results), file=to)
    busy = results[Cell(MACHINE, BUSY)]
    print(f"\nOther work kept {busy.least:.0f}–{busy.most:.0f} % of the processors busy.", file=to)
    for verdict in verdicts_of(results, comparison.plan.goals):
        print(sentence_of(verdict), file=to)
    for name, reason in missing.items():
        print(f"NOT MEASURED: {name}: {reason}", file=to)


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _unwind(signum: int, _frame: FrameType | None) -> None:
    """Leave as by Ctrl-C, so that what was started is stopped in order."""
    sys.exit(128 + signum)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
