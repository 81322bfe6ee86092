"""A campaign's account by platform and by error code, from its ledger.

Each batch keeps its own by platform, 2,000 small sums for a million devices. Errors are as many as
there were failures: a finished campaign's are counted once, and a running one's every few seconds,
however many ask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

import redis
from django.core.cache import cache
from django.db import connection

from campaigns.deliveries import STATUS_OF_OUTCOME
from campaigns.models import PushCampaign
from pushcore.outcomes import Outcome

KEEP_FINAL_S: Final = 24 * 3_600
KEEP_RUNNING_S: Final = 15

Found = TypeVar("Found")


class PlatformCounts(NamedTuple):
    """The account of one platform; it adds up as the campaign's own does."""

    platform: str
    """Empty for devices that were deleted before their batch was sent."""
    total: int
    sent: int
    success: int
    failure: int
    invalid: int
    unknown: int
    skipped: int
    remaining: int


class ErrorCount(NamedTuple):
    """How many devices ended with one error code."""

    error: str
    status: str
    """One of `PushLog.Status`."""
    devices: int


_BY_PLATFORM = """
SELECT one.key, {}
  FROM campaigns_deliverybatch AS batch, jsonb_each(batch.by_platform) AS one
 WHERE batch.campaign_id = %s
 GROUP BY one.key ORDER BY one.key
""".format(", ".join(f"sum((one.value -> {int(outcome)})::int)" for outcome in Outcome))


def count_by_platform(campaign: PushCampaign) -> list[PlatformCounts]:
    """Return the account of each platform, in the alphabetical order of their names.

    It is added up from those of the batches, which move with them: what is told is never old.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BY_PLATFORM, [campaign.pk])
        return [_counts(platform, [*map(int, sums)]) for platform, *sums in cursor if any(sums)]


def _counts(platform: str, sums: Sequence[int]) -> PlatformCounts:
    """Name what is counted by outcome."""
    pending, success, invalid, failed, unknown, skipped = sums
    return PlatformCounts(
        platform=platform,
        total=sum(sums),
        sent=success + invalid + failed + unknown,
        success=success,
        failure=invalid + failed,
        invalid=invalid,
        unknown=unknown,
        skipped=skipped,
        remaining=pending,
    )


_BY_ERROR = """
SELECT error.value ->> 'code', batch.outcomes[error.key::int + 1], count(*)
  FROM campaigns_deliverybatch AS batch, jsonb_each(batch.errors) AS error
 WHERE batch.campaign_id = %s
 GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2
"""


def count_by_error(campaign: PushCampaign) -> list[ErrorCount]:
    """Return how many devices ended with each error, the most frequent first."""

    def count() -> list[ErrorCount]:
        with connection.cursor() as cursor:
            cursor.execute(_BY_ERROR, [campaign.pk])
            return [
                ErrorCount(error, STATUS_OF_OUTCOME[outcome], devices)
                for error, outcome, devices in cursor
            ]

    return _remembered("error", campaign, count)


def _remembered(what: str, campaign: PushCampaign, count: Callable[[], Found]) -> Found:
    is_final = campaign.completed_at is not None and campaign.remaining_count == 0
    # When its failures have been sent again it is completed at another moment.
    state = campaign.completed_at.timestamp() if campaign.completed_at and is_final else "running"
    key = f"pushcore:breakdown:{what}:{campaign.pk}:{state}"
    try:
        known: Found | None = cache.get(key)
        if known is None:
            known = count()
            cache.set(key, known, KEEP_FINAL_S if is_final else KEEP_RUNNING_S)
    except redis.RedisError:  # a cache that is away only costs time
        return count()
    return known
