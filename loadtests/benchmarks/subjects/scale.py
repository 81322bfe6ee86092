"""The whole job for small and large audiences: neither cost nor memory may grow with them."""

from __future__ import annotations

import argparse
from itertools import pairwise

from loadtests.benchmarks.benchmark import Benchmark, Cell, Chart, Goal, Plan, Ratio
from loadtests.benchmarks.engine.job import SLOWEST_PER_S
from loadtests.benchmarks.engine.processors import Kind
from loadtests.benchmarks.subjects.options import add_engine, add_sizes, engine_case, short

COST, MEMORY, RATE = "engine_cpu_us", "peak_rss_mb", "messages_per_s"
GROWTH_MOST = 1.1
KINDS = [f"cpu_us, {kind}" for kind in Kind if kind is not Kind.ELSEWHERE]
"""Whose processor time can be told from that of other programs."""


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_sizes(parser, default="100k,1M,10M")
    add_engine(parser)


def _plan(options: argparse.Namespace) -> Plan:
    sizes = options.sizes
    cases = [
        engine_case(
            short(size),
            "job",
            options,
            devices=size,
            limit_s=size / SLOWEST_PER_S,
            turns=options.largest_turns if size == sizes[-1] else None,
        )
        for size in sizes
    ]
    names = [case.name for case in cases]
    ratios = [
        Ratio(f"{figure}, {larger} by {smaller}", Cell(larger, figure), Cell(smaller, figure))
        for smaller, larger in pairwise(names)
        for figure in (COST, MEMORY)
    ]
    return Plan(
        cases=cases,
        shown=(RATE, *KINDS, f"cpu_us, {Kind.ELSEWHERE}", COST, MEMORY, "wal_bytes_per_device"),
        ratios=ratios,
        # The smallest pays for starting up: the promise is that of the larger ones.
        goals=[Goal(words=ratio.name, cell=ratio.cell, most=GROWTH_MOST) for ratio in ratios[-2:]],
        charts=(
            Chart(
                name="cost",
                title="Processor time for each message, by process",
                unit="µs",
                bars=tuple((name, tuple(Cell(name, kind) for kind in KINDS)) for name in names),
            ),
            Chart(
                name="memory",
                title="Memory of all workers at most",
                unit="MB",
                bars=tuple((name, (Cell(name, MEMORY),)) for name in names),
            ),
            Chart(
                name="rates",
                title="The whole job",
                unit="messages/s",
                bars=tuple((name, (Cell(name, RATE),)) for name in names),
            ),
        ),
    )


BENCHMARK = Benchmark(
    name="scale",
    summary="processor time by process, and memory, at 100k, 1M and 10M devices",
    add_options=_add_options,
    plan=_plan,
)
