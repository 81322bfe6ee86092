"""The whole job beside the bare transport and firebase-admin's `send_each`."""

from __future__ import annotations

import argparse

from loadtests.benchmarks.benchmark import Benchmark, Case, Cell, Chart, Goal, Plan, Ratio
from loadtests.benchmarks.engine.job import SLOWEST_PER_S
from loadtests.benchmarks.subjects.options import add_devices, add_engine, engine_case

JOB, BARE, SDK = "whole job", "bare transport", "firebase-admin send_each"
RATE = "messages_per_s"
BARE_MESSAGES, SDK_MESSAGES = 400_000, 20_000
"""At most: enough for ten seconds of each."""
SHARE = Ratio("share of the bare transport", Cell(JOB, RATE), Cell(BARE, RATE))
TIMES = Ratio("times send_each", Cell(JOB, RATE), Cell(SDK, RATE))


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_devices(parser)
    add_engine(parser)


def _plan(options: argparse.Namespace) -> Plan:
    job = engine_case(
        JOB, "job", options, devices=options.devices, limit_s=options.devices / SLOWEST_PER_S
    )
    bare = _bare(BARE, "http2", min(options.devices, BARE_MESSAGES), options)
    sdk = _bare(SDK, "sdk", min(options.devices, SDK_MESSAGES), options)
    rates = tuple((case.name, (Cell(case.name, RATE),)) for case in (job, bare, sdk))
    return Plan(
        cases=(job, bare, sdk),
        shown=(RATE, "engine_cpu_us", "cpu_us_per_message", "peak_rss_mb"),
        ratios=(SHARE, TIMES),
        goals=(
            Goal(words="share of the bare transport", cell=SHARE.cell, least=0.7),
            Goal(words="times send_each", cell=TIMES.cell, least=15),
            Goal(words="whole job, messages/s", cell=Cell(JOB, RATE), least=20_000),
        ),
        charts=(Chart(name="rates", title="Whole job", unit="messages/s", bars=rates),),
    )


def _bare(name: str, transport: str, messages: int, options: argparse.Namespace) -> Case:
    return Case(
        name=name,
        command=(
            *("-m", "loadtests.benchmarks.transport"),
            *("--transport", transport),
            *("--messages", str(messages)),
            *("--processes", str(options.workers)),
            *("--latency-ms", str(options.latency_ms)),
        ),
        limit_s=300.0,
    )


BENCHMARK = Benchmark(
    name="job",
    summary="the whole job beside the bare transport and send_each (the default)",
    add_options=_add_options,
    plan=_plan,
)
