"""How results are written for people: tables of medians and spreads, goals, numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from loadtests.benchmarks.benchmark import RATIOS, Cell, Plan
from loadtests.benchmarks.results import Results, Spread, Verdict
from loadtests.benchmarks.words import words_of

WIDTH = 120
"""Where nobody's terminal says."""


def print_table(plan: Plan, results: Results, console: Console) -> None:
    """Print each case's figures: least, median and most over the turns."""
    if not console.is_terminal:
        console.width = WIDTH
    table = Table(show_edge=False, pad_edge=False, box=box.SIMPLE_HEAD)
    table.add_column("case")
    table.add_column("figure")
    for column in ("least", "median", "most"):
        table.add_column(column, justify="right")
    for case, figure, spread in rows_of(plan, results):
        table.add_row(
            case, words_of(figure), *map(number, (spread.least, spread.median, spread.most))
        )
    console.print(table)


def rows_of(plan: Plan, results: Results) -> Iterator[tuple[str, str, Spread]]:
    """Yield case, figure and spread of each row: the shown figures, then all ratios."""
    cells = [Cell(case.name, figure) for case in plan.cases for figure in plan.shown]
    cells += [Cell(RATIOS, ratio.name) for ratio in plan.ratios]
    last = ""
    for cell in cells:
        if cell in results:
            case = "" if cell.case == last else cell.case
            yield case, cell.figure, results[cell]
            last = cell.case


def sentence_of(verdict: Verdict) -> str:
    """Say whether a goal is met, and by what."""
    goal = verdict.goal
    bound = f"≥ {number(goal.least)}" if goal.least is not None else f"≤ {number(goal.most or 0)}"
    met = "met" if verdict.is_met else "MISSED"
    return f"{met}: {words_of(goal.words)} {bound}: {number(verdict.median)}"


def number(value: float) -> str:
    """Write a number to three places that matter."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def markdown(plan: Plan, results: Results) -> str:
    """Return the table as docs/performance.md has them."""
    lines: Sequence[str] = [
        f"| {case} | {words_of(figure)} | {number(spread.least)} | {number(spread.median)}"
        f" | {number(spread.most)} |"
        for case, figure, spread in rows_of(plan, results)
    ]
    return "\n".join(
        ["| | | least | median | most |", "| --- | --- | ---: | ---: | ---: |", *lines]
    )
