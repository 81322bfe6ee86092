from __future__ import annotations

import pytest

from loadtests.crash.scenarios import schedules
from loadtests.crash.system import System

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(300)]  # beats are slow to start


def test_two_beats_one_killed_and_one_restarted_start_each_campaign_once(system: System) -> None:
    assert schedules.fire_beside_two_beats(system).violations == []


def test_a_process_killed_while_it_fires_leaves_nothing_half_and_starts_nothing_twice(
    system: System,
) -> None:
    assert schedules.kill_while_firing(system).violations == []


def test_nothing_is_lost_of_a_campaign_in_local_time_while_processes_are_killed(
    system: System,
) -> None:
    assert schedules.kill_in_local_time(system).violations == []
