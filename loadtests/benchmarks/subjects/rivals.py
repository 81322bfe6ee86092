"""The whole job beside what one would pick instead (`loadtests.benchmarks.rivals`).

A rival that cannot be had here, or that does not come to its end, is named with the reason; the
others are measured.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from functools import partial

from loadtests.benchmarks.benchmark import Benchmark, Plan
from loadtests.benchmarks.rivals.catalogue import RIVALS, Rival
from loadtests.benchmarks.rivals.comparison import draw_up
from loadtests.benchmarks.rivals.environments import NotInstalledError, command_of, version_of
from loadtests.benchmarks.rivals.isolation import NoIsolationError, way_in
from loadtests.benchmarks.rivals.tables import tables
from loadtests.benchmarks.subjects.options import add_devices, add_engine


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_devices(parser, default=300_000)
    add_engine(parser)
    parser.add_argument(
        "--size", type=_share, default=1.0, help="share of the rivals' usual messages, for a trial"
    )


def _share(text: str) -> float:
    share = float(text)
    if not 0 < share <= 100:
        message = f"{text} is not within 0 and 100"
        raise argparse.ArgumentTypeError(message)
    return share


def _plan(options: argparse.Namespace) -> Plan:
    skipped: dict[str, str] = {}
    rivals = those_at_hand(skipped)
    comparison = draw_up(rivals, options, cores=os.cpu_count() or 1)
    return replace(
        comparison.plan,
        tables=partial(tables, comparison),
        skipped=skipped,
        versions={rival.name: version_of(rival) for rival in RIVALS},
    )


def those_at_hand(skipped: dict[str, str]) -> list[Rival]:
    """Return the rivals that can run here; put the others into `skipped`, with the reason."""
    found = []
    for rival in RIVALS:
        try:
            way_in()
            command_of(rival)
            found.append(rival)
        except (NoIsolationError, NotInstalledError) as reason:
            skipped[rival.name] = str(reason)
    return found


BENCHMARK = Benchmark(
    name="rivals",
    summary="the whole job beside what one would pick instead; installs those on the first run",
    add_options=_add_options,
    plan=_plan,
)
