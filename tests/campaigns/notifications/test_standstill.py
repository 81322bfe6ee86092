"""When a campaign stands still, and when it merely waits."""

from __future__ import annotations

import pytest

from campaigns import transitions
from campaigns.models import DeliveryBatch, PushCampaign
from campaigns.notifications.models import Notice, Watch
from campaigns.notifications.standstill import standing_still, watch_campaigns
from campaigns.states import Move
from pushcore.outcomes import Outcome
from tests.campaigns.notifications.stage import mail_channel
from tests.cast import NOW, claim, planned, seconds_later, settle_all, told_of
from tests.concurrency import run_at_once

pytestmark = pytest.mark.django_db


def looked(*seconds: float) -> list[list[int]]:
    """Look so many seconds after `NOW`; return which campaigns each look told of."""
    return [watch_campaigns(now=seconds_later(one)) for one in seconds]


def test_what_has_not_moved_for_five_minutes_is_told_once() -> None:
    mail_channel()
    campaign, _ = planned(2)
    assert looked(0, 299, 300, 301, 900) == [[], [], [campaign.pk], [], []]
    notice = Notice.objects.get()
    assert (notice.event, notice.still_since) == ("campaign.standstill", NOW)
    assert notice.account["remaining"] == 2
    assert notice.deliveries.count() == 1


def test_what_moves_now_and_then_does_not_stand_still() -> None:
    _, [first, second] = planned(501)
    assert looked(0, 200) == [[], []]
    settle_all(first, Outcome.SUCCESS)
    assert looked(299, 598) == [[], []]
    settle_all(second, Outcome.SUCCESS)
    assert looked(599) == [[]]


def test_the_next_standstill_is_told_again() -> None:
    campaign, [first, _] = planned(501)
    assert looked(0, 300) == [[], [campaign.pk]]
    settle_all(first, Outcome.SUCCESS)
    assert looked(400, 699, 700) == [[], [], [campaign.pk]]
    assert told_of(campaign) == ["campaign.standstill"] * 2


def test_what_is_tried_again_and_again_without_success_stands_still() -> None:
    campaign, [batch] = planned(2)
    claim(batch)
    DeliveryBatch.objects.update(state="pending", lease_until=None, retry_at=seconds_later(10_000))
    assert looked(0, 300) == [[], [campaign.pk]]


def test_what_waits_for_its_hour_does_not_stand_still() -> None:
    campaign, _ = planned(2)
    DeliveryBatch.objects.update(retry_at=seconds_later(3_600))
    assert looked(0, 300, 3_599) == [[], [], []]
    assert looked(3_600, 3_898) == [[], []]
    assert looked(3_899) == [[campaign.pk]]


def test_a_pause_is_no_standstill_and_a_resume_counts_anew() -> None:
    campaign, _ = planned(2)
    looked(0)
    transitions.move_campaign(campaign_id=campaign.pk, move=Move.PAUSE)
    assert looked(10, 10_000) == [[], []]
    assert Watch.objects.count() == 0
    transitions.move_campaign(campaign_id=campaign.pk, move=Move.RESUME)
    assert looked(10_001, 10_300) == [[], []]
    assert looked(10_301) == [[campaign.pk]]


def test_who_asks_sees_what_stands_still_now() -> None:
    campaign, [first, _] = planned(501)
    looked(0)
    assert list(standing_still(now=seconds_later(299))) == []
    [still] = standing_still(now=seconds_later(300))
    assert (still.campaign, still.moved_at) == (campaign, NOW)
    settle_all(first, Outcome.SUCCESS)
    assert list(standing_still(now=seconds_later(300))) == []


@pytest.mark.django_db(transaction=True)
def test_of_many_that_look_at_once_one_tells() -> None:
    campaign, _ = planned(2)
    looked(0)
    told = run_at_once(6, lambda: watch_campaigns(now=seconds_later(300)))
    assert sorted(told) == [[]] * 5 + [[campaign.pk]]
    assert PushCampaign.objects.get().notices.count() == 1
