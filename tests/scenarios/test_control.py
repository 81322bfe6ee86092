from __future__ import annotations

import pytest

from loadtests.crash.scenarios import control
from loadtests.crash.system import System

pytestmark = pytest.mark.scenario


def test_pause_and_cancel_hold_within_two_seconds(system: System) -> None:
    assert control.pause_resume_cancel(system).violations == []


def test_pause_and_cancel_hold_while_waiting_for_quota(system: System) -> None:
    assert control.pause_while_waiting(system).violations == []


def test_fifty_simultaneous_sends_start_one_campaign(system: System) -> None:
    assert control.send_fifty_times(system).violations == []


def test_an_urgent_campaign_is_sent_at_once_while_others_hold_every_process(
    system: System,
) -> None:
    assert control.urgent_beats_bulk(system).violations == []


def test_slow_campaigns_keep_to_their_pace(system: System) -> None:
    assert control.keep_slow_paces(system).violations == []
