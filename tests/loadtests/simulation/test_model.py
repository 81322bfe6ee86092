from __future__ import annotations

from dataclasses import replace

import pytest

from loadtests.simulation.calibration import MEASURED, Run
from loadtests.simulation.costs import Costs
from loadtests.simulation.model import Fleet, forecast

FREE = Costs(
    send_cpu=0,
    message_cpu=0,
    database_cpu=0,
    broker_cpu=0,
    emulator_cpu=0,
    aside_cpu=0,
    plan_cpu=0,
    publish_cpu=0,
    flush_s=0,
    latency_s=0,
    quota_used=1,
)


@pytest.mark.parametrize("run", MEASURED, ids=lambda run: str(run.name))
def test_the_model_is_within_15_percent_of_what_was_measured(run: Run) -> None:
    assert forecast(run.fleet).messages_per_s == pytest.approx(run.messages_per_s, rel=0.15)


def test_the_quota_alone_decides_where_nothing_else_costs() -> None:
    # 200 batches at 600 a minute and project: the last of 100 goes after 99 tenths of a second.
    fleet = Fleet(devices=100_000, projects=2, quota_per_minute=300_000, costs=FREE)
    assert forecast(fleet).seconds == pytest.approx(9.9)


@pytest.mark.parametrize(
    ("costs", "bottleneck", "seconds"),
    [
        (replace(FREE, send_cpu=0.1), "workers", 10.0),  # 200 × 0.1 s on 2 cores
        (replace(FREE, database_cpu=0.1), "PostgreSQL", 5.0),  # on 4 of its own
        (replace(FREE, broker_cpu=0.1), "broker", 20.0),  # on its only core
        (replace(FREE, plan_cpu=0.1, database_cpu=0.1), "plan", 20.0),  # one process
        (replace(FREE, publish_cpu=0.1), "plan", 20.0),
        (replace(FREE, flush_s=0.1), "counters", 20.1),  # one row, after the first claim's flush
    ],
)
def test_the_busiest_part_is_named_and_decides(
    costs: Costs, bottleneck: str, seconds: float
) -> None:
    fleet = Fleet(devices=100_000, quota_per_minute=0, database_cores=4, costs=costs)
    said = forecast(fleet)
    assert (said.bottleneck, round(said.seconds, 1)) == (bottleneck, seconds)
    assert said.busy[bottleneck] == pytest.approx(1.0, rel=0.01)


def test_processes_serve_whichever_project_has_quota_left() -> None:
    # 20 batches of each project, one a second: two processes are enough for all twenty at once.
    fleet = Fleet(devices=200_000, projects=20, processes=2, quota_per_minute=30_000, costs=FREE)
    assert forecast(fleet).seconds == pytest.approx(19.0)


def test_a_project_more_than_there_are_batches_has_nothing_to_do() -> None:
    costs = replace(FREE, send_cpu=0.1)
    fleet = Fleet(devices=1_000, projects=200, quota_per_minute=0, costs=costs)
    assert forecast(fleet).seconds == pytest.approx(
        0.1
    )  # two batches on two cores, not two hundred


def test_the_plan_is_waited_for() -> None:
    # 4 batches: 4 s for the plan of all, as they are one slice, then 1 s on two cores each.
    costs = replace(FREE, plan_cpu=1.0, database_cpu=1.0, send_cpu=1.0)
    fleet = Fleet(devices=2_000, quota_per_minute=0, database_cores=1, costs=costs)
    assert forecast(fleet).seconds == pytest.approx(6.0)


def test_a_billion_devices_are_bundled_without_another_result() -> None:
    small, large = (
        forecast(Fleet(devices=devices, projects=10, machines=4, cores=4, database_cores=4))
        for devices in (100_000_000, 1_000_000_000)
    )
    assert large.messages_per_s == pytest.approx(small.messages_per_s, rel=0.02)
