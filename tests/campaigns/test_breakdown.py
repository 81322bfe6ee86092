from __future__ import annotations

from collections import Counter

import pytest
import redis
from django.core.cache.backends.base import BaseCache
from pytest_django import DjangoAssertNumQueries

from campaigns import services
from campaigns.breakdown import ErrorCount, PlatformCounts, count_by_error, count_by_platform
from campaigns.ledger import settle_held_batch
from campaigns.models import PushCampaign
from campaigns.queries import stats_of
from campaigns.transitions import complete_if_settled
from devices.models import DeviceToken
from pushcore.outcomes import Outcome
from tests.campaigns.conftest import Broker
from tests.cast import (
    NOW,
    claim,
    make_campaign,
    make_devices,
    make_project,
    settle_all,
    start_and_plan,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_cache")]


def mixed() -> PushCampaign:
    """Four Android devices and three of iOS: every outcome is there, one device is pending."""
    project = make_project()
    make_devices(project, 4)
    make_devices(project, 3, platform="ios")
    campaign = make_campaign()
    [batch] = start_and_plan(campaign)
    entry = claim(batch)
    entry.settle_device(0, Outcome.SUCCESS)
    entry.settle_device(1, Outcome.INVALID_TOKEN, code="UNREGISTERED")
    entry.settle_device(2, Outcome.INVALID_TOKEN, code="UNREGISTERED")
    entry.settle_device(3, Outcome.UNKNOWN, code="TIMEOUT")
    entry.settle_device(4, Outcome.FAILED, code="TIMEOUT")
    entry.settle_device(5, Outcome.SKIPPED, code="INACTIVE")
    assert settle_held_batch(entry, now=NOW)
    campaign.refresh_from_db()
    return campaign


def test_each_platform_has_an_account_that_adds_up_to_the_campaigns() -> None:
    campaign = mixed()
    android, ios = count_by_platform(campaign)
    assert android == PlatformCounts("android", 4, 4, 1, 2, 2, 1, 0, 0)
    assert ios == PlatformCounts("ios", 3, 1, 0, 1, 0, 0, 1, 1)
    whole = stats_of(campaign, now=NOW)
    names = ["sent", "success", "failure", "invalid", "unknown", "skipped", "remaining"]
    assert android.total + ios.total == whole.total_recipients
    assert [getattr(android, name) + getattr(ios, name) for name in names] == [
        getattr(whole, name) for name in names
    ]


def test_each_device_counts_under_its_platform_before_anything_is_sent() -> None:
    project = make_project()
    make_devices(project, 2)
    make_devices(project, 1, platform="web")
    campaign = make_campaign()
    start_and_plan(campaign)
    assert count_by_platform(campaign) == [
        PlatformCounts("android", 2, 0, 0, 0, 0, 0, 0, 2),
        PlatformCounts("web", 1, 0, 0, 0, 0, 0, 0, 1),
    ]


def test_a_device_that_is_deleted_before_it_is_sent_to_counts_under_no_platform() -> None:
    project = make_project()
    [_, deleted, _] = make_devices(project, 3, platform="ios")
    campaign = make_campaign()
    [batch] = start_and_plan(campaign)
    deleted.delete()
    settle_all(batch, Outcome.SUCCESS)
    assert count_by_platform(campaign) == [
        PlatformCounts("", 1, 1, 1, 0, 0, 0, 0, 0),
        PlatformCounts("ios", 2, 2, 2, 0, 0, 0, 0, 0),
    ]


def test_a_device_that_is_deleted_afterwards_counts_as_before() -> None:
    campaign = mixed()
    before = count_by_platform(campaign)
    DeviceToken.objects.filter(platform="ios").delete()
    assert count_by_platform(campaign) == before


def test_what_was_sent_is_counted_without_asking_for_the_devices(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    make_devices(make_project(), 3, platform="ios")
    campaign = make_campaign()
    [batch] = start_and_plan(campaign)
    entry = claim(batch)
    entry.settle_pending(Outcome.SUCCESS, code="")
    entry.sent = Counter({("ios", int(Outcome.SUCCESS)): 3})
    with django_assert_num_queries(4):  # a savepoint, the batch, the campaign, the savepoint
        assert settle_held_batch(entry, now=NOW)
    assert count_by_platform(campaign) == [PlatformCounts("ios", 3, 3, 3, 0, 0, 0, 0, 0)]


def test_an_account_that_does_not_follow_from_what_was_sent_is_counted_anew() -> None:
    """A device of another platform by now, and one that was settled without being sent to."""
    project = make_project()
    make_devices(project, 2)
    [changed] = make_devices(project, 1, platform="ios")
    campaign = make_campaign()
    [batch] = start_and_plan(campaign)
    DeviceToken.objects.filter(pk=changed.pk).update(platform="web")
    entry = claim(batch)
    entry.settle_device(0, Outcome.SKIPPED, code="INACTIVE")
    entry.settle_pending(Outcome.SUCCESS, code="")
    success = int(Outcome.SUCCESS)
    entry.sent = Counter({("android", success): 1, ("web", success): 1})
    assert settle_held_batch(entry, now=NOW)
    assert count_by_platform(campaign) == [
        PlatformCounts("android", 2, 1, 1, 0, 0, 0, 1, 0),
        PlatformCounts("web", 1, 1, 1, 0, 0, 0, 0, 0),
    ]


def test_errors_are_counted_by_code_and_status_the_most_frequent_first() -> None:
    assert count_by_error(mixed()) == [
        ErrorCount("UNREGISTERED", "invalid", 2),
        ErrorCount("INACTIVE", "skipped", 1),
        ErrorCount("TIMEOUT", "failed", 1),
        ErrorCount("TIMEOUT", "unknown", 1),
    ]


def test_of_a_draft_there_is_nothing_to_count() -> None:
    campaign = make_campaign()
    assert (count_by_platform(campaign), count_by_error(campaign)) == ([], [])


def test_what_is_sent_again_is_pending_on_its_platform_again(broker: Broker) -> None:
    make_devices(make_project(), 2)
    campaign = make_campaign()
    [batch] = start_and_plan(campaign)
    settle_all(batch, Outcome.FAILED)
    complete_if_settled(campaign_id=campaign.pk, now=NOW)
    campaign.refresh_from_db()
    assert count_by_platform(campaign) == [PlatformCounts("android", 2, 2, 0, 2, 0, 0, 0, 0)]
    assert count_by_error(campaign) == [ErrorCount("TEST", "failed", 2)]
    services.retry_failed(campaign_id=campaign.pk)
    campaign.refresh_from_db()
    assert count_by_platform(campaign) == [PlatformCounts("android", 2, 0, 0, 0, 0, 0, 0, 2)]
    assert count_by_error(campaign) == []


def test_who_is_skipped_by_a_cancellation_is_so_on_their_platform() -> None:
    make_devices(make_project(), 2, platform="web")
    campaign = make_campaign()
    start_and_plan(campaign)
    services.cancel_campaign(campaign_id=campaign.pk, now=NOW)
    assert count_by_platform(campaign) == [PlatformCounts("web", 2, 0, 0, 0, 0, 0, 2, 0)]


class AwayCache(BaseCache):
    def get(self, *_: object, **__: object) -> object:
        raise redis.ConnectionError


def test_a_cache_that_is_away_costs_time_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.breakdown.cache", AwayCache({}))
    assert len(count_by_error(mixed())) == 4
