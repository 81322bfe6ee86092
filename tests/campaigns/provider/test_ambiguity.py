"""What may have been accepted: sent again or not, counted once, and replacing itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.campaigns.provider.stage import Stage, log
from tests.cast import account

pytestmark = pytest.mark.django_db

ACCEPTED_AND_NOT_TOLD = ["e1.accept_unavailable.1", "e1.accept_reset.1", "e1.accept_hang.1"]
TAGS: dict[str, list[str]] = {
    "android": ["android", "notification", "tag"],
    "ios": ["apns", "headers", "apns-collapse-id"],
    "web": ["webpush", "notification", "tag"],
}


def at(message: dict[str, Any], path: list[str]) -> Any:
    for key in path:
        message = message[key]
    return message


def test_at_least_once_sends_it_again_and_counts_it_once(wire_stage: Stage) -> None:
    wire_stage.devices(wire_stage.project(), ACCEPTED_AND_NOT_TOLD)
    campaign = wire_stage.started(guarantee="at_least_once")

    wire_stage.send_to_the_end(campaign)

    assert wire_stage.control.counts(ACCEPTED_AND_NOT_TOLD) == [2, 2, 2]
    assert account(campaign) == {"total_recipients": 3, "sent_count": 3, "success_count": 3}


def test_at_most_once_never_sends_it_again_and_says_unknown(wire_stage: Stage) -> None:
    wire_stage.devices(wire_stage.project(), ACCEPTED_AND_NOT_TOLD)
    campaign = wire_stage.started(guarantee="at_most_once")

    assert wire_stage.send_to_the_end(campaign) == 1

    assert wire_stage.control.counts(ACCEPTED_AND_NOT_TOLD) == [1, 1, 1]
    assert log(campaign) == {
        "e1.accept_unavailable.1": ("unknown", "UNAVAILABLE", True),
        "e1.accept_reset.1": ("unknown", "CONNECTION_BROKEN", True),
        "e1.accept_hang.1": ("unknown", "TIMEOUT", True),
    }
    assert account(campaign) == {"total_recipients": 3, "sent_count": 3, "unknown_count": 3}


def test_at_most_once_does_try_again_what_was_surely_not_accepted(stage: Stage) -> None:
    stage.devices(stage.project(), ["e1.quota_device.1", "e1.quota_project.1.1.x"])
    campaign = stage.started(guarantee="at_most_once")

    stage.send_to_the_end(campaign)

    assert account(campaign) == {"total_recipients": 2, "sent_count": 2, "success_count": 2}


@pytest.mark.parametrize("platform", list(TAGS))
def test_a_repeat_carries_the_ids_by_which_it_replaces_itself(stage: Stage, platform: str) -> None:
    address = "e1.accept_unavailable.1"
    device = stage.devices(stage.project(), [address], platform=platform)[address]
    campaign = stage.started()

    stage.send_to_the_end(campaign)

    first, second = (sent["message"] for sent in stage.control.messages(address))
    assert first == second
    assert first["data"]["pushcore_id"] == f"{campaign.pk}.{device.pk}"
    assert at(first, TAGS[platform]) == f"pushcore-{campaign.pk}"
