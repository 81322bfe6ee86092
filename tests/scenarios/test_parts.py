from __future__ import annotations

import pytest

from loadtests.crash.scenarios import parts
from loadtests.crash.system import System

pytestmark = pytest.mark.scenario


def test_a_plan_goes_on_where_its_killed_planner_stopped(system: System) -> None:
    assert parts.kill_planner(system).violations == []


def test_a_new_beat_rescues_after_a_killed_one(system: System) -> None:
    assert parts.kill_beat(system).violations == []


def test_a_web_server_killed_during_send_leaves_no_campaign_half_started(system: System) -> None:
    assert parts.kill_web(system).violations == []
