"""The rescue: finds in the ledger what got lost on the way, and sets it going again.

Beat runs it every few seconds; two at once do no harm, as every step is a guarded write. It is
what makes the chord a hint: a killed worker, an emptied Redis or a callback that never ran leave
traces in the ledger, and this reads them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from campaigns import dispatch, poison, transitions
from campaigns.entry import Entry
from campaigns.ledger import rewrite_open_batch, skip_untried_batches
from campaigns.models import DeliveryBatch, Lane, PushCampaign, RescueRun
from campaigns.states import STOPPED, BatchState, CampaignStatus
from pushcore.outcomes import Outcome
from pushcore.retry import Guarantee

logger = logging.getLogger(__name__)

MAX_CRASHES = 5
"""A batch that failed in our own hands so often is set aside: it would do so for ever."""

SWEEP_BATCHES = 500
SETTLE_FIRST_S = 5
"""After the database was away: holders ask every two seconds whether it is back (`sending`)."""


def rescue_all(*, now: datetime) -> None:
    """Look at everything that is not settled, and set going what stands still."""
    for batch_id in _expired_leases(_trusted_until(now)):
        _apart(take_over_expired_batch, batch_id=batch_id, now=now)
    for campaign in PushCampaign.objects.filter(status=CampaignStatus.PROCESSING):
        if not transitions.cancel_if_expired(campaign_id=campaign.pk, now=now):
            _apart(rescue_campaign, campaign=campaign, now=now)
    for campaign in PushCampaign.objects.filter(status=CampaignStatus.PAUSED, expires_at__lte=now):
        transitions.cancel_if_expired(campaign_id=campaign.pk, now=now)
    stopped = DeliveryBatch.objects.filter(
        state=BatchState.PENDING, campaign__status__in=STOPPED
    ).values_list("campaign_id", flat=True)
    for campaign_id in stopped.distinct():
        _apart(close_stopped_campaign, campaign_id=campaign_id, now=now)


def _apart(step: Callable[..., object], **arguments: object) -> None:
    """Take one step of the rescue: what fails in it must not keep all others from theirs."""
    try:
        step(**arguments)
    except Exception:
        logger.exception("The rescue failed in %s of %s.", step.__name__, arguments)


def rescue_campaign(*, campaign: PushCampaign, now: datetime) -> None:
    """Set going what stands still in one campaign, and complete it if nothing is left."""
    with poison.bounded(campaign_id=campaign.pk):
        _plan_on(campaign, now=now)
        for lane in Lane.objects.filter(campaign=campaign, halt_reason=""):
            _set_lane_going(campaign, lane, now=now)
        if not transitions.complete_if_settled(campaign_id=campaign.pk, now=now):
            transitions.pause_if_held_up(campaign_id=campaign.pk)


def _plan_on(campaign: PushCampaign, *, now: datetime) -> None:
    from campaigns.services import publish_plan

    still = now - timedelta(seconds=settings.STANDSTILL_S)
    if transitions.touch_if_plan_stands_still(campaign_id=campaign.pk, since=still, now=now):
        logger.warning("Campaign %s stands still while it is planned: planning on.", campaign.pk)
        publish_plan(campaign)


def _set_lane_going(campaign: PushCampaign, lane: Lane, *, now: datetime) -> None:
    # What is lost first: what becomes due now would hide that all before it was received.
    lost = dispatch.dispatch_lost_again(campaign=campaign, project_id=lane.project_id, now=now)
    if lost:
        logger.warning("Campaign %s: %s messages published again.", campaign.pk, lost)
    dispatch.dispatch_due_retries(campaign=campaign, project_id=lane.project_id, now=now)
    dispatch.dispatch_next_wave(campaign=campaign, lane_id=lane.pk, now=now)


def take_over_expired_batch(*, batch_id: int, now: datetime) -> bool:
    """Take a batch from a holder that let its lease run out.

    What was pending in it may have been accepted: under `at_most_once` it is unknown from now
    on, else it is sent again. A batch that keeps losing its holders is set aside.
    """

    def rewrite(entry: Entry) -> None:
        entry.maybe_sent = True
        if entry.campaign.guarantee == Guarantee.AT_MOST_ONCE:
            entry.lose_in_flight(code="WORKER_LOST")
            entry.maybe_sent = False
        elif entry.crashes + 1 >= MAX_CRASHES:
            entry.settle_pending(Outcome.UNKNOWN, code="GIVEN_UP")

    taken = rewrite_open_batch(
        batch_id=batch_id, state=BatchState.SENDING, now=now, rewrite=rewrite
    )
    if taken:
        logger.warning("Batch %s: its worker is gone, taken over.", batch_id)
    return taken


def close_stopped_campaign(*, campaign_id: int, now: datetime) -> None:
    """Give every waiting device of a cancelled or failed campaign its final outcome."""
    while skip_untried_batches(campaign_id=campaign_id, now=now, limit=SWEEP_BATCHES):
        pass
    tried = DeliveryBatch.objects.filter(campaign_id=campaign_id, state=BatchState.PENDING)
    for batch_id in tried.values_list("pk", flat=True):
        rewrite_open_batch(
            batch_id=batch_id, state=BatchState.PENDING, now=now, rewrite=Entry.close_pending
        )


def _trusted_until(now: datetime) -> datetime:
    """Note this run; return up to when a lease that has run out proves that its holder is gone.

    Leases that ran out while the database was away say nothing about their holders: these get
    `SETTLE_FIRST_S` to settle what they have. So for so long after a gap only what had run out
    before it is taken over: a rescue that seldom gets its turn still takes over, one run later.
    """
    gap_s = 2 * settings.RESCUE_INTERVAL_S
    with transaction.atomic():
        run = RescueRun.objects.select_for_update().filter(pk=1).first() or RescueRun(ran_at=now)
        if now - run.ran_at > timedelta(seconds=gap_s):
            run.gap_began_at, run.gap_ended_at = run.ran_at, now
        RescueRun.objects.update_or_create(
            pk=1,
            defaults={
                "ran_at": now,
                "gap_began_at": run.gap_began_at,
                "gap_ended_at": run.gap_ended_at,
            },
        )
    if run.gap_began_at and run.gap_ended_at:
        settle_until = run.gap_ended_at + timedelta(seconds=SETTLE_FIRST_S)
        return run.gap_began_at if now < settle_until else now
    return now


def _expired_leases(until: datetime) -> list[int]:
    expired = DeliveryBatch.objects.filter(state=BatchState.SENDING, lease_until__lte=until)
    return list(expired.values_list("pk", flat=True))
