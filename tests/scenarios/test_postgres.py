from __future__ import annotations

import pytest

from loadtests.crash.scenarios import postgres
from loadtests.crash.system import System

pytestmark = pytest.mark.scenario


def test_a_crash_of_postgresql_repeats_nothing(system: System) -> None:
    assert postgres.restart_at_once(system).violations == []


def test_what_was_answered_while_postgresql_was_away_is_settled(system: System) -> None:
    assert postgres.away(system).violations == []


def test_cut_connections_repeat_nothing(system: System) -> None:
    assert postgres.cut_connections(system).violations == []
