from __future__ import annotations

from datetime import UTC, datetime

import pytest

from loadtests.benchmarks.benchmark import Case, Cell, Goal, Plan, Turn
from loadtests.benchmarks.results import Spread, as_json, results_of, verdicts_of
from loadtests.benchmarks.table import markdown, number, rows_of, sentence_of

RATE = Cell("job", "rate")
TURNS: list[Turn] = [
    {"job": {"rate": 30.0, "cost": 5.0}, "ratios": {"job by bare": 0.5}},
    {"job": {"rate": 10.0, "cost": 7.0}},
    {"job": {"rate": 20.0, "cost": 6.0}, "ratios": {"job by bare": 0.7}},
]


def plan(*goals: Goal) -> Plan:
    return Plan(
        cases=[Case(name="job", command=(), limit_s=1)], shown=["rate", "absent"], goals=goals
    )


def test_a_cell_has_its_median_and_spread_over_the_turns_that_have_it() -> None:
    results = results_of(TURNS)
    assert results[RATE] == Spread(20.0, 10.0, 30.0, (30.0, 10.0, 20.0))
    assert results[Cell("ratios", "job by bare")] == Spread(0.6, 0.5, 0.7, (0.5, 0.7))


@pytest.mark.parametrize(
    ("bounds", "is_met"),
    [({"least": 20}, True), ({"least": 20.1}, False), ({"most": 20}, True), ({"most": 19}, False)],
)
def test_a_goal_is_held_against_the_median(bounds: dict[str, float], is_met: bool) -> None:
    goal = Goal(words="rate", cell=RATE, **bounds)
    (verdict,) = verdicts_of(results_of(TURNS), [goal])
    assert verdict.is_met == is_met


def test_a_missed_goal_is_not_to_be_overlooked() -> None:
    goals = [
        Goal(words="messages/s", cell=RATE, least=25),
        Goal(words="refusals", cell=RATE, most=0),
        Goal(words="cost, µs", cell=Cell("job", "cost"), most=6.5),
    ]
    said = [sentence_of(verdict) for verdict in verdicts_of(results_of(TURNS), goals)]
    assert said == [
        "MISSED: messages/s ≥ 25: 20",
        "MISSED: refusals ≤ 0: 20",
        "met: cost, µs ≤ 6.50: 6",
    ]


def test_a_goal_of_what_was_not_measured_has_no_verdict() -> None:
    assert verdicts_of(results_of(TURNS), [Goal(words="", cell=Cell("other", "rate"))]) == []


def test_the_table_has_the_shown_figures_that_were_measured() -> None:
    assert list(rows_of(plan(), results_of(TURNS))) == [
        ("job", "rate", Spread(20.0, 10.0, 30.0, (30.0, 10.0, 20.0)))
    ]
    assert markdown(plan(), results_of(TURNS)).splitlines()[2:] == ["| job | rate | 10 | 20 | 30 |"]


@pytest.mark.parametrize(
    ("value", "written"),
    [(22_580.4, "22,580"), (423.0, "423"), (85.25, "85.2"), (0.6, "0.60"), (0, "0"), (4.0, "4")],
)
def test_numbers_have_the_places_that_matter(value: float, written: str) -> None:
    assert number(value) == written


def test_the_json_holds_every_run_the_goals_and_the_machine() -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    goal = Goal(words="messages/s", cell=RATE, least=25)
    said = as_json(
        "job", plan(goal), TURNS, failed={"rival": "it hangs"}, options={"runs": 3}, now=now
    )
    assert said["figures"]["job"]["rate"] == {
        "median": 20.0,
        "least": 10.0,
        "most": 30.0,
        "runs": (30.0, 10.0, 20.0),
    }
    assert said["goals"] == [
        {"goal": "messages/s", "least": 25, "most": None, "median": 20.0, "met": False}
    ]
    assert (said["benchmark"], said["turns"], said["options"]) == ("job", 3, {"runs": 3})
    assert said["taken_at"] == "2026-01-02T03:04:05+00:00"
    assert (said["skipped"], said["failed"]) == ({}, {"rival": "it hangs"})
    assert said["machine"]["cores"] >= 1
