from __future__ import annotations

from datetime import datetime

import pytest

from campaigns.ledger import settle_held_batch
from campaigns.models import Lane, PushCampaign
from campaigns.queries import Stats, active_campaigns, find_stats, stats_of, stats_of_each
from campaigns.transitions import complete_if_settled
from pushcore.outcomes import Outcome
from tests.cast import (
    NOW,
    claim,
    make_campaign,
    make_devices,
    make_project,
    seconds_later,
    settle_all,
    start_and_plan,
)

pytestmark = pytest.mark.django_db


def stats_at(campaign: PushCampaign, now: datetime) -> Stats:
    campaign.refresh_from_db()
    return stats_of(campaign, now=now)


def found_at(campaign: PushCampaign, now: datetime) -> Stats:
    found, stats = find_stats(campaign_id=campaign.pk, now=now)
    assert found == campaign
    return stats


def half_sent() -> PushCampaign:
    """A campaign of 1,000 devices, 500 of which were sent to at the fourth second."""
    make_devices(make_project(), 1_000)
    campaign = make_campaign()
    batch, _ = start_and_plan(campaign)
    settle_all(batch, Outcome.SUCCESS, now=seconds_later(4))
    return campaign


def test_a_running_campaign_tells_its_rate_and_when_it_will_be_done() -> None:
    stats = stats_at(half_sent(), seconds_later(5))
    assert (stats.progress, stats.rate_per_second, stats.eta_seconds) == (0.5, 100.0, 5.0)


def test_the_rate_is_that_of_the_last_ten_seconds() -> None:
    campaign = half_sent()
    rates = [stats_at(campaign, seconds_later(after)).rate_per_second for after in (4, 13, 14, 20)]
    assert rates == [125.0, 50.0, 0.0, 0.0]


def test_a_rate_right_after_the_start_is_not_inflated() -> None:
    make_devices(make_project(), 2)
    campaign = make_campaign()
    [batch] = start_and_plan(campaign)
    settle_all(batch, Outcome.SUCCESS)
    assert stats_at(campaign, NOW).rate_per_second == 2.0


def test_the_rate_of_a_slow_campaign_counts_what_its_unfinished_batches_have_sent() -> None:
    """At its own 5 a second a batch lasts 100 s, and is given back with a rest all the time."""
    make_devices(make_project(), 1_500)
    campaign = make_campaign(rate_limit_per_second=5)
    first, second, third = start_and_plan(campaign)
    entry = claim(first)
    for place in range(50):
        entry.settle_device(place, Outcome.SUCCESS)
    assert settle_held_batch(entry, now=seconds_later(10))
    assert stats_at(campaign, seconds_later(10)).rate_per_second == 5.0

    settle_all(first, Outcome.SUCCESS, now=seconds_later(100))
    settle_all(second, Outcome.SUCCESS, now=seconds_later(200))
    stats = stats_at(campaign, seconds_later(201))
    assert (stats.rate_per_second, stats.eta_seconds) == (5.0, 100.0)

    settle_all(third, Outcome.SUCCESS, now=seconds_later(300))
    assert stats_at(campaign, seconds_later(399)).rate_per_second == 5.0
    assert stats_at(campaign, seconds_later(501)).rate_per_second == 0.0


def test_nobody_can_tell_when_a_campaign_that_stands_still_is_done() -> None:
    assert stats_at(half_sent(), seconds_later(60)).eta_seconds is None


def test_nobody_can_tell_when_a_campaign_is_done_that_is_still_being_planned() -> None:
    campaign = half_sent()
    Lane.objects.filter(campaign=campaign).update(planned_at=None)
    assert stats_at(campaign, seconds_later(5)).eta_seconds is None


def test_a_paused_campaign_will_not_be_done() -> None:
    campaign = half_sent()
    PushCampaign.objects.update(status="paused")
    stats = stats_at(campaign, seconds_later(5))
    assert (stats.rate_per_second, stats.eta_seconds) == (100.0, None)


def test_a_campaign_that_is_done_tells_its_rate_over_all() -> None:
    make_devices(make_project(), 100)
    campaign = make_campaign()
    [batch] = start_and_plan(campaign)
    settle_all(batch, Outcome.SUCCESS, now=seconds_later(1))
    complete_if_settled(campaign_id=campaign.pk, now=seconds_later(4))
    stats = stats_at(campaign, seconds_later(9_999))
    assert (stats.progress, stats.rate_per_second, stats.eta_seconds) == (1.0, 25.0, None)
    assert (stats.started_at, stats.completed_at) == (NOW, seconds_later(4))


def test_skipped_devices_are_progress_but_no_rate() -> None:
    make_devices(make_project(), 4)
    campaign = make_campaign()
    [batch] = start_and_plan(campaign)
    settle_all(batch, Outcome.SKIPPED)
    stats = stats_at(campaign, seconds_later(1))
    assert (stats.progress, stats.rate_per_second, stats.sent, stats.skipped) == (1.0, 0.0, 0, 4)


def test_an_empty_audience_is_whole_once_it_is_completed() -> None:
    campaign = make_campaign()
    start_and_plan(campaign)
    before = stats_at(campaign, NOW).progress
    complete_if_settled(campaign_id=campaign.pk, now=NOW)
    after = stats_at(campaign, NOW)
    assert (before, after.progress, after.rate_per_second) == (0.0, 1.0, 0.0)


def test_each_campaign_has_its_own_stats() -> None:
    draft, running = make_campaign(), half_sent()
    running.refresh_from_db()
    stats = stats_of_each([draft, running], now=seconds_later(5))
    assert [(one.status, one.rate_per_second) for one in stats] == [
        ("draft", 0.0),
        ("processing", 100.0),
    ]


def test_active_campaigns_come_the_newest_first() -> None:
    first, second = make_campaign(), make_campaign()
    start_and_plan(second, now=NOW)
    start_and_plan(first, now=seconds_later(1))
    make_campaign()
    assert list(active_campaigns()) == [first, second]


@pytest.mark.parametrize("pace", [None, 50, 200])
@pytest.mark.parametrize("after_s", [5, 13, 15, 23, 25])
def test_an_account_that_is_found_with_its_campaign_is_the_same(
    pace: int | None, after_s: int
) -> None:
    campaign = half_sent()
    PushCampaign.objects.filter(pk=campaign.pk).update(rate_limit_per_second=pace)
    now = seconds_later(after_s)
    assert found_at(campaign, now) == stats_at(campaign, now)


def test_a_draft_is_found_with_an_account_of_nothing() -> None:
    draft = make_campaign()
    stats = found_at(draft, NOW)
    assert (stats.status, stats.total_recipients, stats.projects) == ("draft", 0, [])


def test_a_campaign_that_is_not_there_is_not_found() -> None:
    with pytest.raises(PushCampaign.DoesNotExist):
        find_stats(campaign_id=1, now=NOW)
