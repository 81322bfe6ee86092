"""What came of a benchmark's turns: medians with their spread, goals, and the machine."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from loadtests.benchmarks.benchmark import Cell, Goal, Plan, Turn


@dataclass(frozen=True, slots=True)
class Spread:
    """A cell over all turns that have it."""

    median: float
    least: float
    most: float
    runs: tuple[float, ...]
    """Every turn's value, in their order."""

    @classmethod
    def of(cls, runs: Sequence[float]) -> Spread:
        """Return the spread of at least one value."""
        return cls(statistics.median(runs), min(runs), max(runs), tuple(runs))


Results = dict[Cell, Spread]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal, and what was reached."""

    goal: Goal
    median: float

    @property
    def is_met(self) -> bool:
        """Whether the median reaches the goal."""
        return self.goal.is_met_by(self.median)


def results_of(turns: Sequence[Turn]) -> Results:
    """Return each cell's spread; cells of cases that took part in some turns only, over those."""
    cells = {
        Cell(case, figure): None
        for turn in turns
        for case, figures in turn.items()
        for figure in figures
    }
    return {
        cell: Spread.of(
            [
                turn[cell.case][cell.figure]
                for turn in turns
                if cell.figure in turn.get(cell.case, ())
            ]
        )
        for cell in cells
    }


def verdicts_of(results: Results, goals: Sequence[Goal]) -> list[Verdict]:
    """Return what became of each goal that something was measured for."""
    return [Verdict(goal, results[goal.cell].median) for goal in goals if goal.cell in results]


def as_json(
    name: str,
    plan: Plan,
    turns: Sequence[Turn],
    *,
    failed: Mapping[str, str],
    options: dict[str, Any],
    now: datetime,
) -> dict[str, Any]:
    """Return everything as one JSON object: case → figure → spread, and the verdicts."""
    results = results_of(turns)
    figures: dict[str, dict[str, Any]] = {}
    for cell, spread in results.items():
        figures.setdefault(cell.case, {})[cell.figure] = asdict(spread)
    return {
        "benchmark": name,
        "taken_at": now.isoformat(timespec="seconds"),
        "machine": machine(),
        "options": options,
        "turns": len(turns),
        "figures": figures,
        "goals": [
            {
                "goal": verdict.goal.words,
                "least": verdict.goal.least,
                "most": verdict.goal.most,
                "median": verdict.median,
                "met": verdict.is_met,
            }
            for verdict in verdicts_of(results, plan.goals)
        ],
        "skipped": dict(plan.skipped),
        "failed": dict(failed),
        "versions": dict(plan.versions),
    }


def machine() -> dict[str, Any]:
    """Return what ran it."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
