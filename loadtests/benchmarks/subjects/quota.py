"""The quota: kept to, nearly all of it used, and that of two projects used together."""

from __future__ import annotations

import argparse

from loadtests.benchmarks.benchmark import Benchmark, Cell, Chart, Goal, Plan, Ratio
from loadtests.benchmarks.engine.job import SLOWEST_PER_S
from loadtests.benchmarks.subjects.options import add_devices, add_engine, add_quota, engine_case

ONE, TWO = "one project", "two projects"
ELAPSED, REFUSED = "elapsed_s", "http_429"
SLACK = 1.05
"""105 s for what takes 100 at the quota."""
HALF = Ratio("time of two projects by that of one", Cell(TWO, ELAPSED), Cell(ONE, ELAPSED))


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_devices(parser)
    add_engine(parser)
    add_quota(parser, least=600)


def _plan(options: argparse.Namespace) -> Plan:
    at_quota_s = options.devices / (options.quota / 60)
    cases = [
        engine_case(
            name,
            "job",
            options,
            *("--quota", str(options.quota)),
            *("--projects", str(projects)),
            devices=options.devices,
            limit_s=at_quota_s / projects + options.devices / SLOWEST_PER_S,
        )
        for projects, name in ((1, ONE), (2, TWO))
    ]
    goal_s = at_quota_s * SLACK
    return Plan(
        cases=cases,
        shown=(ELAPSED, "messages_per_s", REFUSED),
        ratios=(HALF,),
        goals=(
            Goal(words="one project, s", cell=Cell(ONE, ELAPSED), most=goal_s),
            Goal(words="one project, 429", cell=Cell(ONE, REFUSED), most=0),
            Goal(words="two projects, 429", cell=Cell(TWO, REFUSED), most=0),
            Goal(words=HALF.name, cell=HALF.cell, most=0.5 * SLACK),
        ),
        charts=(
            Chart(
                name="time",
                title=f"{options.devices:,} devices at {options.quota:,} a minute and project",
                unit="s",
                bars=tuple((name, (Cell(name, ELAPSED),)) for name in (ONE, TWO)),
                goals={ONE: goal_s, TWO: goal_s / 2},
            ),
        ),
    )


BENCHMARK = Benchmark(
    name="quota",
    summary="one and two FCM projects at their quota",
    add_options=_add_options,
    plan=_plan,
)
