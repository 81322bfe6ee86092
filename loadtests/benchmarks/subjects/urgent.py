"""An urgent campaign while a large one goes out, beside the same on an idle engine."""

from __future__ import annotations

import argparse

from loadtests.benchmarks.benchmark import Benchmark, Cell, Chart, Goal, Plan, Ratio
from loadtests.benchmarks.subjects.options import (
    add_devices,
    add_engine,
    add_launches,
    add_quota,
    engine_case,
)

CASE = "1,000 urgent devices"
WAYS = ("idle", "beside bulk")
FIGURES = ("first p50 ms", "first p99 ms", "last p50 ms", "last p99 ms")
FIRST = "first p99 ms"
FIRST_MOST_MS, LAST_MOST_MS = 500, 1_500
SLOWDOWN = Ratio(
    "first p99, beside bulk by idle",
    Cell(CASE, f"beside bulk, {FIRST}"),
    Cell(CASE, f"idle, {FIRST}"),
)


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_devices(parser)
    add_engine(parser)
    add_launches(parser, default=20, help_="each way")
    add_quota(parser, least=6_000)


def _plan(options: argparse.Namespace) -> Plan:
    at_quota_s = options.devices / (options.quota / 60)
    case = engine_case(
        CASE,
        "urgent",
        options,
        *("--quota", str(options.quota)),
        *("--launches", str(options.launches)),
        devices=options.devices,
        limit_s=2 * at_quota_s + 10 * options.launches,
    )
    shown = [f"{way}, {figure}" for figure in FIGURES for way in WAYS]
    return Plan(
        cases=(case,),
        shown=(*shown, "http_429"),
        ratios=(SLOWDOWN,),
        goals=(
            Goal(
                words="beside bulk, first acceptance p99, ms",
                cell=Cell(CASE, f"beside bulk, {FIRST}"),
                most=FIRST_MOST_MS,
            ),
            Goal(
                words="beside bulk, last acceptance p99, ms",
                cell=Cell(CASE, "beside bulk, last p99 ms"),
                most=LAST_MOST_MS,
            ),
            Goal(words=SLOWDOWN.name, cell=SLOWDOWN.cell, most=2),
        ),
        charts=(
            Chart(
                name="arrival",
                title="From /send/ to acceptance",
                unit="ms",
                bars=tuple((name.removesuffix(" ms"), (Cell(CASE, name),)) for name in shown),
                goals={
                    "beside bulk, first p99": FIRST_MOST_MS,
                    "beside bulk, last p99": LAST_MOST_MS,
                },
            ),
        ),
    )


BENCHMARK = Benchmark(
    name="urgent",
    summary="an urgent campaign while a large one goes out at the quota",
    add_options=_add_options,
    plan=_plan,
)
