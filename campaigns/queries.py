"""What is asked of campaigns and their ledger, without changing anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, QuerySet, Sum

from campaigns.models import DeliveryBatch, Lane, PushCampaign
from campaigns.states import CampaignStatus

RATE_WINDOW_S = 10
"""The current rate is what settled within so many seconds: at most some hundred batches."""


@dataclass(frozen=True)
class Stats:
    """How far a campaign is. `total_recipients` = sent + skipped + remaining, always."""

    status: str
    status_reason: str
    total_recipients: int
    sent: int
    success: int
    failure: int
    invalid: int
    unknown: int
    skipped: int
    remaining: int
    progress: float
    """The settled share of what is planned, 0…1; 1 for an empty audience that is completed."""
    rate_per_second: float
    """Messages a second: over the last seconds while it runs, over all of it afterwards."""
    eta_seconds: float | None
    """None where it can't be told: not running, or standing still."""
    started_at: datetime | None
    completed_at: datetime | None


def stats_of(campaign: PushCampaign, *, now: datetime) -> Stats:
    """Return the campaign's account; its cost does not depend on the audience."""
    settled = campaign.sent_count + campaign.skipped_count
    rate = _rate(campaign, now=now)
    remaining = campaign.remaining_count
    return Stats(
        status=campaign.status,
        status_reason=campaign.status_reason,
        total_recipients=campaign.total_recipients,
        sent=campaign.sent_count,
        success=campaign.success_count,
        failure=campaign.failure_count,
        invalid=campaign.invalid_count,
        unknown=campaign.unknown_count,
        skipped=campaign.skipped_count,
        remaining=remaining,
        progress=_progress(campaign, settled),
        rate_per_second=round(rate, 1),
        eta_seconds=_eta(campaign, remaining, rate),
        started_at=campaign.started_at,
        completed_at=campaign.completed_at,
    )


def active_campaigns() -> QuerySet[PushCampaign]:
    """Return the campaigns that are being sent or paused, the newest first."""
    return PushCampaign.objects.filter(
        status__in=[CampaignStatus.PROCESSING, CampaignStatus.PAUSED]
    ).order_by("-started_at")


def is_planned(campaign: PushCampaign) -> bool:
    """Return whether the campaign's whole audience stands in the ledger."""
    return not Lane.objects.filter(campaign=campaign, planned_at=None).exists()


def _progress(campaign: PushCampaign, settled: int) -> float:
    if campaign.total_recipients:
        return round(settled / float(campaign.total_recipients), 4)
    return 1.0 if campaign.status == CampaignStatus.COMPLETED else 0.0


def _rate(campaign: PushCampaign, *, now: datetime) -> float:
    if campaign.started_at is None:
        return 0.0
    if campaign.completed_at is not None:
        seconds = (campaign.completed_at - campaign.started_at).total_seconds()
        total: int = campaign.sent_count
        return total / max(seconds, 0.001)
    recent = DeliveryBatch.objects.filter(
        campaign=campaign, settled_at__gt=now - timedelta(seconds=RATE_WINDOW_S)
    ).aggregate(sent=Sum(F("success_count") + F("failure_count") + F("unknown_count")))
    running_s = (now - campaign.started_at).total_seconds()
    sent: int = recent["sent"] or 0
    return sent / min(max(running_s, 1.0), RATE_WINDOW_S)


def _eta(campaign: PushCampaign, remaining: int, rate: float) -> float | None:
    if campaign.status != CampaignStatus.PROCESSING or rate <= 0 or not is_planned(campaign):
        return None
    return round(remaining / rate, 1)
