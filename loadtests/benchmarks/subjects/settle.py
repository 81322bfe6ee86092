"""Planning and settling the ledger alone: rows a second, and what PostgreSQL writes for each."""

from __future__ import annotations

import argparse

from loadtests.benchmarks.benchmark import Benchmark, Case, Cell, Chart, Plan
from loadtests.benchmarks.subjects.options import COPIED_PER_S, START_S, add_devices, add_workers
from loadtests.benchmarks.words import without_unit, words_of

SLOWEST_PER_S = 10_000
BYTES = ("ledger_bytes_per_device", "wal_bytes_per_device")


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_devices(parser)
    add_workers(parser, what="that settle")


def _plan(options: argparse.Namespace) -> Plan:
    case = Case(
        name="the ledger",
        command=(
            *("-m", "loadtests.benchmarks.engine.settling"),
            *("--devices", str(options.devices)),
            *("--processes", str(options.workers)),
        ),
        limit_s=START_S + options.devices / COPIED_PER_S + options.devices / SLOWEST_PER_S,
    )
    rates = ("planned_per_s", "settled_per_s")
    costs = [
        f"cpu_us, {part}"
        for part in ("PostgreSQL, planning", "PostgreSQL, settling", "settling processes")
    ]
    return Plan(
        cases=(case,),
        shown=(*rates, "batches_per_s", *costs, *BYTES),
        charts=(
            Chart(
                name="rates",
                title="The ledger alone",
                unit="devices/s",
                bars=tuple((words_of(rate), (Cell(case.name, rate),)) for rate in rates),
            ),
            Chart(
                name="bytes",
                title="The ledger",
                unit="bytes a device",
                bars=tuple((without_unit(name), (Cell(case.name, name),)) for name in BYTES),
            ),
        ),
    )


BENCHMARK = Benchmark(
    name="settle",
    summary="planning and settling the ledger without sending; bytes of each device",
    add_options=_add_options,
    plan=_plan,
)
