from __future__ import annotations

import pytest
import redis
from django.core.cache.backends.base import BaseCache

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


def test_a_device_that_was_deleted_since_counts_under_no_platform() -> None:
    campaign = mixed()
    DeviceToken.objects.filter(platform="ios").delete()
    assert [(one.platform, one.total) for one in count_by_platform(campaign)] == [
        ("", 3),
        ("android", 4),
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


def test_a_finished_campaign_is_counted_once_until_it_is_sent_again(broker: Broker) -> None:
    make_devices(make_project(), 2)
    campaign = make_campaign()
    [batch] = start_and_plan(campaign)
    settle_all(batch, Outcome.FAILED)
    complete_if_settled(campaign_id=campaign.pk, now=NOW)
    campaign.refresh_from_db()
    failed = [PlatformCounts("android", 2, 2, 0, 2, 0, 0, 0, 0)]
    assert count_by_platform(campaign) == failed
    DeviceToken.objects.all().delete()
    assert count_by_platform(campaign) == failed
    services.retry_failed(campaign_id=campaign.pk)
    campaign.refresh_from_db()
    assert count_by_platform(campaign) == [PlatformCounts("", 2, 0, 0, 0, 0, 0, 0, 2)]


class AwayCache(BaseCache):
    def get(self, *_: object, **__: object) -> object:
        raise redis.ConnectionError


def test_a_cache_that_is_away_costs_time_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.breakdown.cache", AwayCache({}))
    assert [one.platform for one in count_by_platform(mixed())] == ["android", "ios"]
