"""What a benchmark leaves behind: files in a folder, and what is said on the screen."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from loadtests.benchmarks.benchmark import Cell, Plan, Turn
from loadtests.benchmarks.charts import draw
from loadtests.benchmarks.results import Results, results_of, verdicts_of
from loadtests.benchmarks.table import markdown, print_table, sentence_of
from loadtests.benchmarks.turns import BUSY, MACHINE


def make_folder(folder: Path) -> None:
    """Make the folder of the results, before anything is measured in vain.

    Raises:
        OSError: it cannot be made or written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def write(
    folder: Path, name: str, plan: Plan, turns: Sequence[Turn], figures: dict[str, Any]
) -> None:
    """Write the figures as JSON, the tables as Markdown and the charts as SVG, over older ones."""
    results = results_of(turns)
    tables = plan.tables(results) if plan.tables else markdown(plan, results)
    (folder / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    (folder / f"{name}.md").write_text(tables + "\n", encoding="utf-8")
    for chart in plan.charts:
        if (drawing := draw(chart, results)) is not None:
            (folder / f"{name}-{chart.name}.svg").write_text(drawing, encoding="utf-8")


def show(
    plan: Plan, turns: Sequence[Turn], console: Console, *, missing: Mapping[str, str]
) -> None:
    """Print the tables, how busy the machine was, what became of the goals, and what is missing."""
    results = results_of(turns)
    if plan.tables:
        console.print(plan.tables(results), soft_wrap=True, markup=False)
    else:
        print_table(plan, results, console)
    console.print(_how_busy(results))
    for verdict in verdicts_of(results, plan.goals):
        console.print(sentence_of(verdict))
    for name, reason in missing.items():
        console.print(f"NOT MEASURED: {name}: {reason}", soft_wrap=True, markup=False)


def _how_busy(results: Results) -> str:
    busy = results[Cell(MACHINE, BUSY)]
    return (
        f"Before the turns other work kept {busy.least:.0f}–{busy.most:.0f} % of the"
        " processors busy."
    )
