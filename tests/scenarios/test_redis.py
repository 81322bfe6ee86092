from __future__ import annotations

import pytest

from loadtests.crash.scenarios import redis
from loadtests.crash.system import System

pytestmark = pytest.mark.scenario


def test_a_restart_of_redis_repeats_nothing(system: System) -> None:
    assert redis.restart_with_data(system).violations == []


def test_a_restart_of_redis_without_its_data_loses_nothing(system: System) -> None:
    assert redis.restart_without_data(system).violations == []


def test_an_emptied_redis_loses_nothing(system: System) -> None:
    assert redis.empty(system).violations == []


def test_nothing_is_lost_while_redis_is_away(system: System) -> None:
    assert redis.away(system).violations == []
