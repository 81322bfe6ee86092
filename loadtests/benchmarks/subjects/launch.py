"""From `/send/` to the first acceptance: it must not wait for the whole plan."""

from __future__ import annotations

import argparse

from loadtests.benchmarks.benchmark import Benchmark, Cell, Chart, Goal, Plan, Ratio
from loadtests.benchmarks.subjects.options import (
    add_engine,
    add_launches,
    add_sizes,
    engine_case,
    short,
)

FIRST, WORST, ANSWERED = "first_accepted_ms", "first_accepted_worst_ms", "answered_ms"
GOAL_MS = 1_000
LAUNCH_S = 30.0
"""What one launch, and clearing away after it, may take at most."""


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_sizes(parser, default="1k,1M,10M")
    add_engine(parser)
    add_launches(parser, default=5, help_="in each turn")


def _plan(options: argparse.Namespace) -> Plan:
    sizes = options.sizes
    cases = [
        engine_case(
            short(size),
            "launches",
            options,
            *("--launches", str(options.launches)),
            devices=size,
            limit_s=LAUNCH_S * (options.launches + 1),
            turns=options.largest_turns if size == sizes[-1] else None,
        )
        for size in sizes
    ]
    names = [case.name for case in cases]
    growth = Ratio(
        f"first acceptance, {names[-1]} by {names[0]}",
        Cell(names[-1], FIRST),
        Cell(names[0], FIRST),
    )
    return Plan(
        cases=cases,
        shown=(ANSWERED, FIRST, WORST),
        ratios=(growth,),
        goals=(
            Goal(
                words=f"first acceptance of {names[-1]}, ms",
                cell=Cell(names[-1], FIRST),
                most=GOAL_MS,
            ),
        ),
        charts=(
            Chart(
                name="first",
                title="From /send/ to the first acceptance",
                unit="ms",
                bars=tuple((name, (Cell(name, FIRST),)) for name in names),
                goals={names[-1]: GOAL_MS},
            ),
        ),
    )


BENCHMARK = Benchmark(
    name="launch",
    summary="from /send/ to the first acceptance, for 1k, 1M and 10M devices",
    add_options=_add_options,
    plan=_plan,
)
