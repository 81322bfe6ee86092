from __future__ import annotations

import pytest

from campaigns.states import MOVES, QUEUES, STOPPED, CampaignStatus, moves_from


@pytest.mark.parametrize(
    ("status", "moves"),
    [
        ("draft", ["cancel", "schedule", "send"]),
        ("scheduled", ["cancel", "schedule", "send", "unschedule"]),
        ("processing", ["cancel", "pause"]),
        ("paused", ["cancel", "resume"]),
        ("completed", ["retry-failed"]),
        ("cancelled", []),
        ("failed", []),
    ],
)
def test_a_person_may_do_just_this_from_each_status(status: str, moves: list[str]) -> None:
    assert moves_from(status) == moves


def test_every_status_but_the_first_is_reached_by_some_move() -> None:
    reached = {target for _, target in MOVES.values()}
    assert reached == set(CampaignStatus)  # draft too: a scheduled campaign can be taken back


def test_nothing_leads_out_of_a_stopped_status() -> None:
    assert [move for move, (sources, _) in MOVES.items() if sources & STOPPED] == []


def test_each_priority_has_a_queue_of_its_own() -> None:
    assert QUEUES == {"high": "high_priority", "normal": "default", "low": "low_priority"}
