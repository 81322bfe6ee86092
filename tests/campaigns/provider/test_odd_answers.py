"""Answers that no documentation tells of: kept for people to look at, and nobody is harmed."""

from __future__ import annotations

import pytest

from campaigns.models import PushCampaign
from loadtests.fcm_emulator import answers
from loadtests.fcm_emulator.behaviours import Behaviour
from pushcore.provider_error import MAX_DETAIL_CHARS
from tests.campaigns.provider.stage import Stage, log
from tests.cast import account

pytestmark = pytest.mark.django_db

CODES = {
    "odd_code": "SOMETHING_NEW",
    "odd_text": "HTTP_400",
    "odd_html": "HTTP_400",
    "odd_empty": "HTTP_400",
    "odd_huge": "HTTP_400",
}


def sent_to_all(stage: Stage) -> PushCampaign:
    """A campaign to a device for each odd answer, and one that is fine."""
    stage.devices(stage.project(), [f"e1.{odd}.1" for odd in (*CODES, "ok")])
    campaign = stage.started()
    stage.send(campaign)
    return campaign


def raw(odd: str) -> str:
    return answers.of_behaviour(Behaviour(odd), "token").decode()


def test_what_is_not_known_is_failed_and_harms_nobody(stage: Stage) -> None:
    campaign = sent_to_all(stage)

    assert log(campaign) == {
        "e1.ok.1": ("success", "", True),
        **{f"e1.{odd}.1": ("failed", code, True) for odd, code in CODES.items()},
    }
    assert account(campaign) == {
        "total_recipients": 6,
        "sent_count": 6,
        "success_count": 1,
        "failure_count": 5,
    }
    assert (campaign.status, stage.halts(campaign)) == ("processing", [""])
    assert stage.received() == 6


def test_what_was_said_is_kept_raw_and_bounded(wire_stage: Stage) -> None:
    campaign = sent_to_all(wire_stage)

    details = wire_stage.details(campaign)
    assert details == {
        "e1.odd_code.1": raw("odd_code"),
        "e1.odd_text.1": '{"error": "out of order"}',
        "e1.odd_html.1": raw("odd_html"),
        "e1.odd_empty.1": "",
        "e1.odd_huge.1": raw("odd_huge")[:MAX_DETAIL_CHARS],
    }
    assert '"errorCode": "SOMETHING_NEW"' in details["e1.odd_code.1"]


def test_a_body_whose_length_is_too_much_from_the_start_is_cut_too(stage: Stage) -> None:
    campaign = sent_to_all(stage)

    assert stage.details(campaign)["e1.odd_huge.1"] == raw("odd_huge")[:MAX_DETAIL_CHARS]
