"""Importing devices, next to bare COPY of the same rows in the same run."""

from __future__ import annotations

import argparse

from loadtests.benchmarks.benchmark import Benchmark, Case, Cell, Chart, Goal, Plan
from loadtests.benchmarks.subjects.options import START_S, add_devices
from loadtests.benchmarks.words import without_unit

SLOWEST_PER_S = 5_000
RATES = (
    "bare_copy_rows_per_s",
    "import_rows_per_s",
    "mostly_changed_rows_per_s",
    "mostly_unchanged_rows_per_s",
)


def _plan(options: argparse.Namespace) -> Plan:
    case = Case(
        name="import",
        command=("-m", "loadtests.benchmarks.imports", "--rows", str(options.devices)),
        limit_s=START_S + len(RATES) * options.devices / SLOWEST_PER_S,
    )
    return Plan(
        cases=(case,),
        shown=(*RATES, "share_of_bare_copy", "peak_rss_mb"),
        goals=(
            Goal(words="imported rows/s", cell=Cell(case.name, "import_rows_per_s"), least=100_000),
            Goal(
                words="imported rows/s of which 90 % change",
                cell=Cell(case.name, "mostly_changed_rows_per_s"),
                least=50_000,
            ),
        ),
        charts=(
            Chart(
                name="rates",
                title="Importing devices",
                unit="rows/s",
                bars=tuple((without_unit(rate), (Cell(case.name, rate),)) for rate in RATES),
            ),
        ),
    )


BENCHMARK = Benchmark(
    name="imports",
    summary="importing files of devices beside bare COPY",
    add_options=add_devices,
    plan=_plan,
)
