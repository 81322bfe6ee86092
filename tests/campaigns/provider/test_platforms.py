"""The account by platform follows what was sent, from the wire to the sum, and is not recounted."""

from __future__ import annotations

from typing import NoReturn

import pytest

from campaigns import ledger
from campaigns.breakdown import PlatformCounts, count_by_platform
from devices.models import DeviceToken
from tests.campaigns.provider.stage import Stage

pytestmark = pytest.mark.django_db
ADDRESSES = ["e1.ok.1", "e1.unregistered.1", "e1.unavailable.1", "e1.mismatch.1", "e1.ok.2"]
IOS = ["e1.unavailable.1", "e1.ok.2"]


def never(*_: object) -> NoReturn:
    pytest.fail("It was counted anew.")


def test_what_was_sent_moves_the_account_of_its_platform(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.devices(stage.project(), ADDRESSES)
    DeviceToken.objects.filter(address__in=IOS).update(platform="ios")
    campaign = stage.started()
    monkeypatch.setattr(ledger, "_recounted", never)

    stage.send(campaign)

    assert count_by_platform(campaign) == [
        PlatformCounts("android", 3, 3, 1, 2, 1, 0, 0, 0),
        PlatformCounts("ios", 2, 1, 1, 0, 0, 0, 0, 1),
    ]


def test_what_waits_for_its_retry_moves_when_it_is_sent_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.devices(stage.project(), ["e1.unavailable.1", "e1.ok.1"])
    campaign = stage.started()
    monkeypatch.setattr(ledger, "_recounted", never)

    stage.send_to_the_end(campaign)

    assert count_by_platform(campaign) == [PlatformCounts("android", 2, 2, 2, 0, 0, 0, 0, 0)]
