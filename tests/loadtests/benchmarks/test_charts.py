from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from loadtests.benchmarks.benchmark import Cell, Chart
from loadtests.benchmarks.charts import COLOURS, RIGHT, WIDTH, draw, left_of
from loadtests.benchmarks.results import Results, Spread

SVG = "{http://www.w3.org/2000/svg}"
SLOW, FAST = Cell("slow", "rate"), Cell("fast", "rate")
RESULTS: Results = {
    SLOW: Spread(50.0, 40.0, 60.0, ()),
    FAST: Spread(90.0, 80.0, 100.0, ()),
    Cell("slow", "cpu"): Spread(25.0, 25.0, 25.0, ()),
}
LEFT = 49
"""Where bars begin behind a label of four letters."""
ROOM = WIDTH - LEFT - RIGHT


def drawn(*bars: tuple[str, tuple[Cell, ...]], **goals: float) -> ET.Element:
    chart = Chart(name="c", title="Rates <of> both", unit="1/s", bars=bars, goals=goals)
    svg = draw(chart, RESULTS)
    assert svg is not None
    return ET.fromstring(svg)


def bars_of(svg: ET.Element) -> list[tuple[float, float]]:
    """Return left edge and width of each coloured rectangle that is a bar."""
    found = [one for one in svg.iter(f"{SVG}rect") if one.get("height") == "18"]
    return [(float(one.get("x", 0)), float(one.get("width", 0))) for one in found]


def texts_of(svg: ET.Element) -> list[str]:
    return [one.text or "" for one in svg.iter(f"{SVG}text")]


def test_bars_are_as_long_as_their_medians_and_the_longest_whisker_fills_the_room() -> None:
    svg = drawn(("slow", (SLOW,)), ("fast", (FAST,)))
    assert bars_of(svg) == [(LEFT, ROOM * 0.5), (LEFT, ROOM * 0.9)]
    whiskers = [one.get("d") for one in svg.iter(f"{SVG}path")]
    assert whiskers[1] is not None
    assert whiskers[1].startswith(f"M{LEFT + ROOM * 0.8:.1f} ")
    assert f"H{LEFT + ROOM:.1f}" in whiskers[1]


def test_labels_and_numbers_are_written_and_escaped() -> None:
    svg = drawn(("a & b", (SLOW,)))
    assert texts_of(svg) == ["Rates <of> both, 1/s", "a & b", "50"]


def test_a_stacked_bar_has_its_parts_end_to_end_a_sum_and_a_legend() -> None:
    svg = drawn(("slow", (SLOW, Cell("slow", "cpu"))))
    (first, second) = bars_of(svg)
    assert first == pytest.approx((LEFT, ROOM * 2 / 3), abs=0.1)
    assert second == pytest.approx((LEFT + ROOM * 2 / 3, ROOM / 3), abs=0.1)
    assert texts_of(svg)[2:] == ["75", "rate", "cpu"]
    fills = [one.get("fill") for one in svg.iter(f"{SVG}rect")]
    assert fills[1:] == [COLOURS[0], COLOURS[1], COLOURS[0], COLOURS[1]]


def test_a_long_legend_goes_on_in_another_line_within_the_chart() -> None:
    cells = tuple(Cell("slow", f"cpu, a long kind of process {n}") for n in range(8))
    chart = Chart(name="c", title="t", unit="u", bars=(("slow", cells),))
    svg = draw(chart, dict.fromkeys(cells, Spread(1.0, 1.0, 1.0, ())))
    assert svg is not None
    root = ET.fromstring(svg)
    names = [one for one in root.iter(f"{SVG}text") if "long kind" in (one.text or "")]
    assert len({one.get("y") for one in names}) == 2
    assert all(float(one.get("x", 0)) + 6.2 * len(one.text or "") <= WIDTH for one in names)
    assert all(float(one.get("y", 0)) < float(root.get("height", 0)) for one in names)


def test_a_goal_beyond_all_bars_is_still_on_the_chart() -> None:
    svg = drawn(("slow", (SLOW,)), ("fast", (FAST,)), slow=200.0)
    assert bars_of(svg)[0] == pytest.approx((LEFT, ROOM * 0.25), abs=0.1)
    assert texts_of(svg)[2::2] == ["50 (goal 200)", "90"]
    (goal,) = [one.get("d") for one in svg.iter(f"{SVG}path") if one.get("class") == "goal"]
    assert goal is not None
    assert goal.startswith(f"M{LEFT + ROOM:.1f} ")


def test_a_number_stands_beside_the_goal_and_not_on_it() -> None:
    svg = drawn(("fast", (FAST,)), fast=102.0)
    (number,) = [one for one in svg.iter(f"{SVG}text") if "goal" in (one.text or "")]
    assert float(number.get("x", 0)) == pytest.approx(LEFT + ROOM + 6)


def test_bars_begin_where_the_longest_label_ends() -> None:
    long = Chart(name="c", title="t", unit="u", bars=(("firebase-admin send_each", (SLOW,)),))
    assert left_of(long) == 193
    endless = Chart(name="c", title="t", unit="u", bars=(("endless " * 20, (SLOW,)),))
    assert left_of(endless) == WIDTH // 2


def test_one_turn_has_no_spread() -> None:
    cell = Cell("slow", "cpu")
    assert list(drawn(("slow", (cell,))).iter(f"{SVG}path")) == []


def test_what_was_not_measured_is_left_out() -> None:
    svg = drawn(("slow", (SLOW,)), ("10M", (Cell("10M", "rate"),)))
    assert len(bars_of(svg)) == 1
    chart = Chart(name="c", title="t", unit="u", bars=(("10M", (Cell("10M", "rate"),)),))
    assert draw(chart, RESULTS) is None
