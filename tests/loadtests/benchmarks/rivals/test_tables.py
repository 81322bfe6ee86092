"""The tables."""

from __future__ import annotations

from loadtests.benchmarks.__main__ import parse
from loadtests.benchmarks.benchmark import Cell
from loadtests.benchmarks.results import Results, Spread
from loadtests.benchmarks.rivals.catalogue import SEND_EACH
from loadtests.benchmarks.rivals.comparison import JOB, RATE, draw_up, times
from loadtests.benchmarks.rivals.environments import version_of
from loadtests.benchmarks.rivals.tables import tables

CASE = "firebase-admin send_each ×4"
TROUBLED = "firebase-admin send_each, answers lost"
LABEL = f"firebase-admin send_each {version_of(SEND_EACH)}"


def lines_of(results: Results) -> list[str]:
    return tables(draw_up([SEND_EACH], parse(["rivals"]), cores=2), results).splitlines()


def test_a_line_has_medians_with_their_spread_and_what_pushcore_does() -> None:
    results = {
        Cell(JOB, RATE): Spread.of([20_000.0]),
        Cell(CASE, RATE): Spread.of([1_000.0, 1_250.0, 2_000.0]),
        Cell(CASE, "messages_per_cpu_s"): Spread.of([900.0]),
        Cell(CASE, "peak_rss_mb"): Spread.of([144.0]),
        times(CASE, RATE).cell: Spread.of([10.0, 16.0, 20.0]),
    }

    lines = lines_of(results)

    assert lines[2] == f"| {JOB} | 4 | 20,000 | – | – | – | – |"
    assert lines[4] == (f"| {LABEL} | 4 | 1,250 (1,000–2,000) | 900 | 144 | 16 × (10–20) | – |")


def test_the_account_is_in_percent() -> None:
    results = {
        Cell(TROUBLED, "accepted_twice_pct"): Spread.of([4.94]),
        Cell(TROUBLED, "lost_pct"): Spread.of([0.0]),
        Cell(TROUBLED, "accepted_but_called_failed_pct"): Spread.of([0.05]),
        Cell(TROUBLED, "called_unknown_pct"): Spread.of([0.0]),
    }

    assert lines_of(results)[-1] == "| firebase-admin send_each | 4.9 % | 0.0 % | 0.1 % | 0.0 % |"


def test_who_never_came_to_an_end_has_dashes() -> None:
    lines = lines_of({})

    assert lines[4] == f"| {LABEL} | 4 | – | – | – | – | – |"
    assert lines[-1] == "| firebase-admin send_each | – | – | – | – |"
