from __future__ import annotations

import pytest

from loadtests.crash.scenarios import workers
from loadtests.crash.system import System

pytestmark = pytest.mark.scenario


def test_nothing_is_lost_while_processes_are_killed(system: System) -> None:
    assert workers.kill_processes(system).violations == []


def test_nothing_is_lost_with_a_killed_worker(system: System) -> None:
    assert workers.kill_worker(system).violations == []


def test_nothing_is_lost_when_all_workers_are_killed(system: System) -> None:
    assert workers.kill_all_workers(system).violations == []


def test_a_worker_stopped_past_its_lease_changes_nothing(system: System) -> None:
    assert workers.stop_past_the_lease(system).violations == []


def test_a_rolling_deploy_loses_and_repeats_nothing(system: System) -> None:
    assert workers.rolling_deploy(system).violations == []
