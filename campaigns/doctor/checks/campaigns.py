"""Campaigns that need a person, accounts that do not add up, word that does not arrive."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from campaigns.doctor.findings import Finding, critical, ok, warning
from campaigns.models import AuditRun, Lane, PushCampaign
from campaigns.notifications.models import Channel, ChannelKind, Delivery, DeliveryState
from campaigns.notifications.standstill import standing_still
from campaigns.states import CampaignStatus

_AUDIT_LATE: Final = timedelta(minutes=5)
_TELLING_LATE: Final = timedelta(minutes=5)
_SHOWN: Final = 5


def check_progress(now: datetime) -> Sequence[Finding]:
    """Look for campaigns that stand still, or that a refusal of the provider holds up."""
    still = [
        critical(
            f"Campaign {one.campaign_id} has not moved since {one.moved_at:%H:%M:%S} UTC.",
            "Look at the findings on workers, beat, Redis and FCM; then at the workers' logs.",
        )
        for one in standing_still(now=now)[:_SHOWN]
    ]
    live = [CampaignStatus.PROCESSING, CampaignStatus.PAUSED]
    halted = Lane.objects.filter(campaign__status__in=live).exclude(halt_reason="").order_by("pk")
    held = [
        warning(
            f"Campaign {lane.campaign_id} is held up: {lane.halt_reason[:200]}",
            "Mend the reason, then resume the campaign.",
        )
        for lane in halted[:_SHOWN]
    ]
    running = PushCampaign.objects.filter(status=CampaignStatus.PROCESSING).count()
    return [*still, *held] or [ok(f"Campaigns being sent: {running}; none stands still.")]


def check_accounts(now: datetime) -> Sequence[Finding]:
    """Look at what the regular audit found last."""
    run = AuditRun.objects.filter(pk=1).first()
    if run is None or now - run.ran_at > _AUDIT_LATE:
        return [
            warning(
                "The regular audit has not run for five minutes.",
                "Look at the findings on workers and beat; manage.py audit looks at once.",
            )
        ]
    if run.drift:
        names = ", ".join(sorted(run.drift, key=int)[:_SHOWN])
        return [
            critical(
                f"The ledger contradicts the counters of campaigns {names}.",
                "Run: manage.py audit; keep what it prints, and report it: this is a bug.",
            )
        ]
    return [ok("Counters and ledger agree.")]


def check_notifications(now: datetime) -> Sequence[Finding]:
    """Look for channels that nothing reaches, and word that waits to be told."""
    found = [
        warning(
            f"Notification channel “{channel.name}” is off: {channel.disabled_reason}",
            f"Mend it, then run: manage.py channels change {channel.pk} --on; or delete it.",
        )
        for channel in Channel.objects.filter(is_active=False).order_by("pk")[:_SHOWN]
    ]
    failing = Channel.objects.filter(is_active=True, failing_since__lte=now - timedelta(hours=1))
    found += [
        warning(
            f"Nothing has reached notification channel “{channel.name}” for an hour.",
            f"manage.py channels test {channel.pk} says what is answered.",
        )
        for channel in failing.order_by("pk")[:_SHOWN]
    ]
    waiting = Delivery.objects.filter(
        state=DeliveryState.PENDING, channel__is_active=True, due_at__lte=now - _TELLING_LATE
    ).count()
    if waiting:
        found.append(
            warning(
                f"Notices that are due for five minutes and not delivered: {waiting:,}.",
                "Run a worker with -Q notices.",
            )
        )
    mails = Channel.objects.filter(is_active=True, kind=ChannelKind.EMAIL)
    if not settings.PUBLIC_URL and mails.exists():
        found.append(
            warning(
                "E-mails have no links, and nobody can unsubscribe from them.", "Set PUBLIC_URL."
            )
        )
    return found or [ok("Everybody who wants to be told is.")]
