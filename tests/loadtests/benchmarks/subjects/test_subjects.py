from __future__ import annotations

import argparse

import pytest

from loadtests.benchmarks.__main__ import BENCHMARKS, parse
from loadtests.benchmarks.benchmark import RATIOS, Benchmark, Plan
from loadtests.benchmarks.engine.urgent import percentile
from loadtests.benchmarks.subjects.options import short, sizes

ALWAYS_AT_HAND = [one for one in BENCHMARKS if one.name != "rivals"]
"""Drawing up the other one's plan installs what it compares with: see `rivals.test_comparison`."""


def planned(*words: str) -> Plan:
    options = parse(words)
    (benchmark,) = [one for one in BENCHMARKS if one.name == options.benchmark]
    return benchmark.plan(options)


@pytest.mark.parametrize("benchmark", ALWAYS_AT_HAND, ids=lambda one: str(one.name))
def test_goals_ratios_and_charts_speak_of_cases_that_are_run(benchmark: Benchmark) -> None:
    plan = benchmark.plan(parse([benchmark.name]))
    names = {case.name for case in plan.cases}
    ratios = {ratio.name for ratio in plan.ratios}
    assert {cell.case for ratio in plan.ratios for cell in (ratio.of, ratio.to)} <= names
    assert {goal.cell.case for goal in plan.goals} <= names | {RATIOS}
    assert {goal.cell.figure for goal in plan.goals if goal.cell.case == RATIOS} <= ratios
    assert {
        cell.case for chart in plan.charts for _, cells in chart.bars for cell in cells
    } <= names


@pytest.mark.parametrize("benchmark", ALWAYS_AT_HAND, ids=lambda one: str(one.name))
def test_every_case_has_an_end(benchmark: Benchmark) -> None:
    assert all(
        0 < case.limit_s < 3 * 3_600 for case in benchmark.plan(parse([benchmark.name])).cases
    )


def test_without_a_subject_it_is_the_whole_job_as_ever() -> None:
    options = parse(["--runs", "1", "--devices", "1000000", "--workers", "2", "--json"])
    assert (options.benchmark, options.runs, options.devices) == ("job", 1, 1_000_000)
    assert parse([]).benchmark == "job"
    assert parse([]).runs == 5


def test_the_largest_audience_may_sit_out_the_later_turns() -> None:
    plan = planned("scale", "--sizes", "10M,100k,1M", "--largest-turns", "1")
    assert [(case.name, case.turns) for case in plan.cases] == [
        ("100k", None),
        ("1M", None),
        ("10M", 1),
    ]


def test_growth_is_a_goal_between_the_two_largest_only() -> None:
    goals = planned("scale").goals
    assert [(goal.words, goal.most) for goal in goals] == [
        ("engine_cpu_us, 10M by 1M", 1.1),
        ("peak_rss_mb, 10M by 1M", 1.1),
    ]


@pytest.mark.parametrize(("devices", "seconds"), [(1_000_000, 105.0), (100_000, 10.5)])
def test_the_time_at_the_quota_follows_from_the_audience(devices: int, seconds: float) -> None:
    plan = planned("quota", "--devices", str(devices))
    assert plan.goals[0].most == pytest.approx(seconds)
    assert plan.charts[0].goals == {"one project": seconds, "two projects": seconds / 2}


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("1k,100k,10M", [1_000, 100_000, 10_000_000]), ("2M,50000,2M", [50_000, 2_000_000])],
)
def test_sizes_are_read_as_people_write_them(text: str, numbers: list[int]) -> None:
    assert sizes(text) == numbers


@pytest.mark.parametrize("text", ["", "many", "1,2", "-5k", "200M", "1k,"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no number of devices"):
        sizes(text)


def test_sizes_are_written_as_people_say_them() -> None:
    assert [short(size) for size in (1_000, 50_000, 1_500, 10_000_000)] == [
        "1k",
        "50k",
        "1,500",
        "10M",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["job", "--runs", "0"], "0 is not within 1 and 100"),
        (["scale", "--sizes", "few"], "'few' is no number of devices"),
        (["quota", "--devices", "5"], "5 is not within 1,000 and 100,000,000"),
        (["speed"], "invalid choice: 'speed'"),
    ],
)
def test_a_wrong_option_is_told(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse(words)
    assert said in capsys.readouterr().err


def test_the_99th_of_twenty_is_the_largest() -> None:
    ordered = [float(number) for number in range(1, 21)]
    assert (percentile(ordered, 0.99), percentile(ordered, 0.5)) == (20.0, 10.0)
    assert percentile([7.0], 0.99) == 7.0
