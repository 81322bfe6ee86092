"""What is measured, and held against what."""

from __future__ import annotations

from loadtests.benchmarks.__main__ import parse
from loadtests.benchmarks.benchmark import RATIOS, Case
from loadtests.benchmarks.rivals.catalogue import FCM_V1_HTTP2, RIVALS, SEND_EACH
from loadtests.benchmarks.rivals.comparison import Comparison, draw_up, processes_of


def drawn_up(*words: str, cores: int = 2) -> Comparison:
    return draw_up(RIVALS, parse(["rivals", *words]), cores=cores)


def test_goals_ratios_and_charts_speak_of_cases_that_are_run() -> None:
    plan = drawn_up().plan

    names = {case.name for case in plan.cases}
    assert len(names) == len(plan.cases)
    assert {cell.case for ratio in plan.ratios for cell in (ratio.of, ratio.to)} <= names
    assert {goal.cell.figure for goal in plan.goals} <= {ratio.name for ratio in plan.ratios}
    assert {goal.cell.case for goal in plan.goals} == {RATIOS}
    assert {
        cell.case for chart in plan.charts for _, cells in chart.bars for cell in cells
    } <= names


def test_the_goals_are_those_that_were_promised() -> None:
    assert [(goal.words, goal.least) for goal in drawn_up().plan.goals] == [
        ("times as fast as firebase-admin send_each ×4", 15.0),
        ("times as fast as firebase-admin for Node ×2", 1.8),
        ("times as fast as fcm-v1-http2 ×2", 1.2),
    ]


def test_a_goal_against_a_rival_that_is_missing_is_none() -> None:
    comparison = draw_up([SEND_EACH], parse(["rivals"]), cores=2)

    assert [goal.least for goal in comparison.plan.goals] == [15.0]


def test_python_gets_our_number_of_processes_and_node_one_for_each_core() -> None:
    assert processes_of(SEND_EACH, 4, cores=2) == [4, 1]
    assert processes_of(FCM_V1_HTTP2, 4, cores=2) == [2, 1]
    assert processes_of(FCM_V1_HTTP2, 4, cores=8) == [4, 1]
    assert processes_of(FCM_V1_HTTP2, 4, cores=1) == [1]


def test_trouble_is_met_in_one_turn_and_single_processes_in_three() -> None:
    comparison = drawn_up()

    assert {line.case.turns for line in comparison.troubled} == {1}
    assert {line.case.turns for line in comparison.lines if line.processes == 1} == {3}
    assert {line.case.turns for line in comparison.lines if line.processes > 1} == {None}


def test_a_rival_may_fail_and_a_measurement_of_our_own_may_not() -> None:
    comparison = drawn_up()
    lines = [*comparison.lines, *comparison.troubled]

    assert {line.label for line in lines if not line.case.may_fail} == {
        "Pushcore, the whole job",
        "Pushcore, its transport alone",
        "Pushcore, at_least_once",
        "Pushcore, at_most_once",
    }


def test_a_trial_is_a_share_of_the_usual_messages() -> None:
    whole, trial = drawn_up(), drawn_up("--size", "0.01")

    assert _messages(whole.lines[-2].case) == FCM_V1_HTTP2.messages
    assert _messages(trial.lines[-2].case) == FCM_V1_HTTP2.messages // 100
    assert _messages(trial.lines[2].case) == 100  # never less


def _messages(case: Case) -> int:
    return int(case.command[case.command.index("--messages") + 1])
