"""The messages that are only checked before anybody is sent to, refused without a word of why.

OAuth is the emulator's; the answers come from a server that says what it is told to.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.campaigns.provider.stage import Stage
from tests.cast import account
from tests.pushcore.transports.wire import WireServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def blunt(stage: Stage, settings: Settings) -> Iterator[Stage]:
    with WireServer() as server:
        settings.FCM_ENDPOINT = server.endpoint
        yield stage


def test_refused_they_condemn_the_payload_if_a_bare_message_passes(blunt: Stage) -> None:
    blunt.devices(blunt.project("demo"), ["picky.1", "picky.2", "picky.3"])

    campaign = blunt.launched()

    assert (campaign.status, campaign.status_reason) == (
        "failed",
        "INVALID_ARGUMENT without the provider's reason",
    )
    assert account(campaign) == {}


def test_happening_to_be_dead_they_condemn_nothing(blunt: Stage) -> None:
    blunt.devices(blunt.project("demo"), [f"unexplained.{number}" for number in range(3)])

    campaign = blunt.launched()

    assert (campaign.status, account(campaign)) == ("processing", {"total_recipients": 3})
