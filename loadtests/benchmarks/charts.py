"""Charts as plain SVG: horizontal bars, with the least and the most of the turns as a whisker.

Written by hand, as bars are all that is needed: a plotting library would be the largest
dependency of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from loadtests.benchmarks.benchmark import Cell, Chart
from loadtests.benchmarks.results import Results, Spread
from loadtests.benchmarks.table import number

WIDTH, RIGHT, GAP = 760, 130, 10
"""Pixels: of all, of the numbers on the right, around labels."""
LETTER = 7.2
"""Pixels of a label's letter, on average and rather too many."""
TOP, ROW, BAR, LEGEND_LINE = 46, 34, 18, 18
COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2", "#9d755d", "#bab0ac")
_OPENING = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
    ' width="{width}" height="{height}" role="img">'
)
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-weight:600;font-size:15px}"
    ".small{font-size:11px}"
    ".whisker{stroke:#24292f;stroke-width:1.5}"
    ".goal{stroke:#cf222e;stroke-width:1.5;stroke-dasharray:5 3}"
)


def draw(chart: Chart, results: Results) -> str | None:
    """Return the chart as SVG; None where nothing of it was measured."""
    bars = [
        (label, cells)
        for label, wanted in chart.bars
        if (cells := [cell for cell in wanted if cell in results])
    ]
    if not bars:
        return None
    names = _stacked_figures(bars)
    lines = _places(names)[-1][2] + 1 if names else 0
    legend_at = TOP + ROW * len(bars) + 16
    height = TOP + ROW * len(bars) + 8 + lines * LEGEND_LINE
    left = left_of(chart)
    goals = [chart.goals[label] for label, _ in bars if label in chart.goals]
    most = max(*(_reach(cells, results) for _, cells in bars), *goals, 0)
    scale = (WIDTH - left - RIGHT) / (most or 1)
    parts = [
        _OPENING.format(width=WIDTH, height=height),
        f"<title>{escape(chart.title)}</title><style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text class="title" x="12" y="24">{escape(chart.title)}, {escape(chart.unit)}</text>',
    ]
    for row, (label, cells) in enumerate(bars):
        y = TOP + ROW * row
        parts.append(
            f'<text x="{left - GAP}" y="{y + 14}" text-anchor="end">{escape(label)}</text>'
        )
        parts += _bar(
            cells, results, left=left, y=y, scale=scale, names=names, goal=chart.goals.get(label)
        )
    if names:
        parts += _legend(names, y=legend_at)
    return "\n".join([*parts, "</svg>", ""])


def _stacked_figures(bars: Sequence[tuple[str, list[Cell]]]) -> list[str]:
    """Return the figures that bars are stacked of, in order; none where no bar is stacked."""
    if all(len(cells) == 1 for _, cells in bars):
        return []
    return list(dict.fromkeys(cell.figure for _, cells in bars for cell in cells))


def _reach(cells: Sequence[Cell], results: Results) -> float:
    if len(cells) == 1:
        return results[cells[0]].most
    return sum(results[cell].median for cell in cells)


def left_of(chart: Chart) -> int:
    """Return where bars begin: the longest label has room before them."""
    longest = max(len(label) for label, _ in chart.bars)
    return min(WIDTH // 2, round(longest * LETTER) + 2 * GAP)


def _bar(
    cells: Sequence[Cell],
    results: Results,
    *,
    left: float,
    y: float,
    scale: float,
    names: Sequence[str],
    goal: float | None,
) -> list[str]:
    """Draw the cells end to end, the spread of one that is alone, the goal, and the sum."""
    parts = []
    x = left
    for cell in cells:
        width = results[cell].median * scale
        colour = COLOURS[names.index(cell.figure) % len(COLOURS)] if names else COLOURS[0]
        parts.append(
            f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>'
        )
        x += width
    if len(cells) == 1:
        spread = results[cells[0]]
        x = max(x, left + spread.most * scale)
        parts += _whisker(spread, left=left, y=y, scale=scale)
    words = number(sum(results[cell].median for cell in cells))
    if goal is not None:
        at = left + goal * scale
        parts.append(f'<path class="goal" d="M{at:.1f} {y - 4}v{BAR + 8}"/>')
        words += f" (goal {number(goal)})"
        # Beside the line, where the number would stand on it.
        x = at if x <= at < x + len(words) * LETTER else x
    parts.append(f'<text class="small" x="{x + 6:.1f}" y="{y + 13}">{words}</text>')
    return parts


def _whisker(spread: Spread, *, left: float, y: float, scale: float) -> list[str]:
    """Draw a line from the least to the most of the turns; none where they do not differ."""
    if spread.least == spread.most:
        return []
    begin, end, middle = left + spread.least * scale, left + spread.most * scale, y + BAR / 2
    ends = f"M{begin:.1f} {middle - 4}v8M{end:.1f} {middle - 4}v8"
    return [f'<path class="whisker" d="M{begin:.1f} {middle}H{end:.1f}{ends}"/>']


def _legend(names: Sequence[str], *, y: float) -> list[str]:
    """Draw the colours' names in lines that end before the chart does; `y`: of the first."""
    parts = []
    for index, (name, x, line) in enumerate(_places(names)):
        colour = COLOURS[index % len(COLOURS)]
        below = y + line * LEGEND_LINE
        parts.append(f'<rect x="{x:.0f}" y="{below - 9}" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text class="small" x="{x + 14:.0f}" y="{below}">{escape(name)}</text>')
    return parts


def _places(names: Sequence[str]) -> list[tuple[str, float, int]]:
    """Return each short name with its x and its line."""
    places = []
    x, line = 12.0, 0
    for name in names:
        words = name.rpartition(", ")[2]
        width = 26 + 6.2 * len(words)
        if x + width > WIDTH and x > 12:
            x, line = 12.0, line + 1
        places.append((words, x, line))
        x += width
    return places
