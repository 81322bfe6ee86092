"""Finds campaigns that are being sent and get nowhere.

Their counters are compared with those of the last look. That is independent of how the engine
notices lost messages: what repairs itself within minutes is nobody's business, and what does not
is a person's, whatever the cause.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Q, QuerySet

from campaigns.models import DeliveryBatch, Lane, PushCampaign
from campaigns.notifications import outbox
from campaigns.notifications.models import Watch
from campaigns.states import BatchState, CampaignStatus


def watch_campaigns(*, now: datetime) -> list[int]:
    """Look whether everything that is being sent has moved; return the campaigns newly told of.

    Safe to run twice at once, and seldom: a standstill is told once, whoever looks.
    """
    running = PushCampaign.objects.filter(status=CampaignStatus.PROCESSING)
    Watch.objects.exclude(campaign__in=running).delete()
    still_until = now - timedelta(seconds=settings.STANDSTILL_NOTICE_S)
    return [
        campaign.pk
        for campaign in running
        if (since := _last_move(campaign, now=now)) <= still_until
        and outbox.record_standstill(campaign=campaign, since=since)
    ]


def _last_move(campaign: PushCampaign, *, now: datetime) -> datetime:
    """Return when the campaign was first seen to be as far as it is; now where it waits."""
    done = campaign.total_recipients + campaign.sent_count + campaign.skipped_count
    seen = Watch.objects.filter(pk=campaign.pk).first()
    if seen is not None and seen.done == done and has_work(campaign, now=now):
        return seen.moved_at
    Watch.objects.update_or_create(campaign=campaign, defaults={"done": done, "moved_at": now})
    return now


def has_work(campaign: PushCampaign, *, now: datetime) -> bool:
    """Return whether anything of it could have moved: it does not merely wait for its hour.

    A batch that was never tried and has a time of its own waits; one that is tried again and
    again without success does not.
    """
    waits = Q(attempt=0, retry_at__gt=now)
    open_batches = _open_batches().filter(campaign=campaign)
    unplanned = Lane.objects.filter(campaign=campaign, planned_at=None, halt_reason="")
    return unplanned.exists() or open_batches.exclude(waits).exists() or not open_batches.exists()


def _open_batches() -> QuerySet[DeliveryBatch]:
    return DeliveryBatch.objects.filter(state__in=[BatchState.PENDING, BatchState.SENDING])


def standing_still(*, now: datetime) -> QuerySet[Watch]:
    """Return what is known of campaigns that stand still for as long as people are told of."""
    done = F("campaign__total_recipients") + F("campaign__sent_count")
    return Watch.objects.filter(
        campaign__status=CampaignStatus.PROCESSING,
        moved_at__lte=now - timedelta(seconds=settings.STANDSTILL_NOTICE_S),
        done=done + F("campaign__skipped_count"),
    ).select_related("campaign")
