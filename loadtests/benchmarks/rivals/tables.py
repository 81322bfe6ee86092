"""The comparison's tables, in Markdown: read in a terminal, pasted into docs/performance.md."""

from __future__ import annotations

from collections.abc import Sequence

from loadtests.benchmarks.benchmark import Cell
from loadtests.benchmarks.results import Results
from loadtests.benchmarks.rivals.comparison import (
    MEMORY,
    PER_CPU,
    RATE,
    Comparison,
    Line,
    times,
)
from loadtests.benchmarks.table import number

RATES_HEAD = (
    "| | processes | messages/s | messages per CPU-second | memory, MB | Pushcore's rate is |"
    " per CPU-second |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
)
TROUBLE_HEAD = (
    "| 5 % of the answers lost | accepted twice | never accepted | accepted, but called failed |"
    " called unknown |\n"
    "| --- | ---: | ---: | ---: | ---: |"
)
ACCOUNT = ("accepted_twice_pct", "lost_pct", "accepted_but_called_failed_pct", "called_unknown_pct")
NOTHING = "–"


def tables(comparison: Comparison, results: Results) -> str:
    """Return both tables; a contestant that never came to its end has dashes."""
    rates = [_rate_line(line, results) for line in comparison.lines]
    account = [_account_line(line, results) for line in comparison.troubled]
    return "\n".join([RATES_HEAD, *rates, "", TROUBLE_HEAD, *account])


def _rate_line(line: Line, results: Results) -> str:
    cells = [Cell(line.case.name, figure) for figure in (RATE, PER_CPU, MEMORY)]
    ratios = [times(line.case.name, figure).cell for figure in (RATE, PER_CPU)]
    figures = [_with_spread(cell, results) for cell in cells]
    figures += [_with_spread(cell, results, unit=" ×") for cell in ratios]
    return _cells([line.label, str(line.processes), *figures])


def _account_line(line: Line, results: Results) -> str:
    cells = [Cell(line.case.name, figure) for figure in ACCOUNT]
    shares = [f"{results[cell].median:.1f} %" if cell in results else NOTHING for cell in cells]
    return _cells([line.label, *shares])


def _with_spread(cell: Cell, results: Results, *, unit: str = "") -> str:
    """Write `median (least–most)`; the median alone where all turns agree."""
    spread = results.get(cell)
    if spread is None:
        return NOTHING
    median, least, most = (number(value) for value in (spread.median, spread.least, spread.most))
    return f"{median}{unit}" if least == most else f"{median}{unit} ({least}–{most})"


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
