"""Answers that no documentation tells of: kept for people to look at, and nobody is harmed.

OAuth is the emulator's; the answers come from a server that says what it is told to.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from campaigns.models import PushCampaign
from tests.campaigns.provider.stage import Stage, log
from tests.cast import account
from tests.pushcore.transports.wire import ODD, WireServer

pytestmark = pytest.mark.django_db

CODES = {
    "odd:code.1": "SOMETHING_NEW",
    "odd:text.1": "HTTP_400",
    "odd:html.1": "HTTP_400",
    "odd:nothing.1": "HTTP_400",
    "odd:huge.1": "HTTP_400",
}


@pytest.fixture
def odd(stage: Stage, settings: Settings) -> Iterator[Stage]:
    with WireServer() as server:
        settings.FCM_ENDPOINT = server.endpoint
        yield stage


def kept(stage: Stage, campaign: PushCampaign) -> dict[str, str]:
    return {address.partition(".")[0]: text for address, text in stage.details(campaign).items()}


def test_what_is_not_known_is_quarantined_with_its_raw_body(odd: Stage) -> None:
    odd.devices(odd.project("demo"), CODES)
    campaign = odd.started()

    odd.send(campaign)

    assert log(campaign) == {address: ("failed", code, True) for address, code in CODES.items()}
    assert kept(odd, campaign) == {
        "odd:code": ODD["code"].decode(),
        "odd:text": ODD["text"].decode(),
        "odd:html": ODD["html"].decode(),
        "odd:nothing": "",
        "odd:huge": ODD["huge"].decode()[:500],
    }
    assert (account(campaign)["failure_count"], odd.halts(campaign)) == (5, [""])


def test_html_of_a_gateway_and_too_much_of_an_answer_are_tried_again(odd: Stage) -> None:
    odd.devices(odd.project("demo"), ["html.1", "huge.1", "huge:announced.1"])
    campaign = odd.started()

    odd.send(campaign)

    codes = {address: one.code for address, one in odd.waiting(campaign).items()}
    assert codes == {"html.1": "HTTP_502", "huge.1": "HTTP_500", "huge:announced.1": "HTTP_500"}


def test_canaries_refused_without_a_reason_condemn_the_payload_if_a_bare_message_passes(
    odd: Stage,
) -> None:
    odd.devices(odd.project("demo"), ["picky.1", "picky.2", "picky.3"])

    campaign = odd.launched()

    assert (campaign.status, campaign.status_reason) == (
        "failed",
        "INVALID_ARGUMENT without the provider's reason",
    )
    assert account(campaign) == {}


def test_canaries_that_happen_to_be_dead_condemn_nothing(odd: Stage) -> None:
    odd.devices(odd.project("demo"), [f"odd:unexplained.{number}" for number in range(3)])

    campaign = odd.launched()

    assert (campaign.status, account(campaign)) == ("processing", {"total_recipients": 3})
