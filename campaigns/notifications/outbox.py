"""What happened is written down together with its happening, and delivered afterwards.

The row of a notice stands in the transaction that moves the campaign: neither a broker nor a
worker that is lost can lose it, and what has not happened is never told.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from campaigns.models import PushCampaign
from campaigns.notifications.models import Channel, Delivery, Event, Notice


def record(*, campaign_id: int, event: Event) -> None:
    """Write down that the campaign made a move, for every channel that is told of it.

    To be called in the transaction of the move, which holds the campaign's row.
    """
    campaign = PushCampaign.objects.get(pk=campaign_id)
    notice = Notice.objects.create(event=event, campaign=campaign, account=account_of(campaign))
    _address(notice)


def record_standstill(*, campaign: PushCampaign, since: datetime) -> bool:
    """Write down that the campaign has not moved since then; False where that is known already."""
    with transaction.atomic():
        notice, is_new = Notice.objects.get_or_create(
            event=Event.STANDSTILL,
            campaign=campaign,
            still_since=since,
            defaults={"account": account_of(campaign)},
        )
        if is_new:
            _address(notice)
    return is_new


def record_missed_runs(*, schedule_id: int, account: Mapping[str, Any], now: datetime) -> None:
    """Write down that runs of the schedule were not begun.

    To be called in the transaction that decides so, which holds the schedule's row.
    """
    notice = Notice.objects.create(
        event=Event.SCHEDULE_MISSED,
        schedule_id=schedule_id,
        account=dict(account),
        occurred_at=now,
    )
    _address(notice)


def _address(notice: Notice) -> None:
    # Locked, so that a channel that is deleted meanwhile does not undo the campaign's move; in one
    # order, so that two moves don't wait for each other.
    channels = Channel.objects.select_for_update(no_key=True).order_by("pk")
    told = channels.filter(is_active=True, events__contains=[notice.event])
    Delivery.objects.bulk_create(Delivery(notice=notice, channel=channel) for channel in told)


def account_of(campaign: PushCampaign) -> dict[str, Any]:
    """Return how the campaign stands, by the names of `/stats/`."""
    return {
        "campaign_id": campaign.pk,
        "title": campaign.title,
        "status": campaign.status,
        "status_reason": campaign.status_reason,
        "priority": campaign.priority,
        "total_recipients": campaign.total_recipients,
        "sent": campaign.sent_count,
        "success": campaign.success_count,
        "failure": campaign.failure_count,
        "invalid": campaign.invalid_count,
        "unknown": campaign.unknown_count,
        "skipped": campaign.skipped_count,
        "remaining": campaign.remaining_count,
        "started_at": stamp_of(campaign.started_at),
        "completed_at": stamp_of(campaign.completed_at),
    }


def stamp_of(moment: datetime | None) -> str | None:
    """Return a moment as messages have it."""
    return moment.isoformat().replace("+00:00", "Z") if moment else None
