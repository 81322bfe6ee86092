"""What is planned becomes messages: hints to the workers, never the truth.

A wave of a lane is published as one chord, whose callback asks for the next wave. Whatever gets
lost on the way (a message, the callback, the publisher itself) stands in the ledger as a batch
that is pending, and the rescue publishes it again.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from celery import chord, current_app
from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Q, QuerySet
from kombu.exceptions import OperationalError
from redis import RedisError

from campaigns import poison, transitions
from campaigns.models import DeliveryBatch, Lane, PushCampaign
from campaigns.states import BatchState, CampaignStatus

MAX_PATIENCE_S = 3_600
FIRST_WAVE = 20
"""Batches: waves double from here to what the lane's pace allows."""
WAVE_S = 100
"""A wave holds what the pace lets through in so many seconds: what is slow must not stand in the
queue before all others."""


def dispatch_next_wave(*, campaign: PushCampaign, lane_id: int, now: datetime) -> int:
    """Publish the lane's next wave, unless one is under way; return how many batches it has."""
    with transaction.atomic():
        lane = _hold_lane(pk=lane_id)
        if lane is None or _waiting(lane).filter(dispatched_at__isnull=False).exists():
            return 0
        waiting = _waiting(lane)
        free = waiting.filter(Q(retry_at=None) | Q(retry_at__lte=now)).order_by("seq")
        most = wave_batches(lane, rate_limit_per_second=campaign.rate_limit_per_second)
        # No larger than all before it: the first messages of a lane are not kept waiting for
        # processes and processors that publish thousands of others.
        limit = min(most, max(FIRST_WAVE, lane.planned_batches - waiting.count()))
        batch_ids = list(free.values_list("pk", flat=True)[:limit])
        if batch_ids:
            # Only then: a lane that merely was looked at still stands still.
            _mark_dispatched(batch_ids, lane=lane, now=now)
            transitions.touch_lane(lane_id=lane_id, now=now)
    if batch_ids:
        _publish_wave(batch_ids, campaign=campaign)
        transitions.forget_failures(campaign_id=campaign.pk)
    return len(batch_ids)


def wave_batches(lane: Lane, *, rate_limit_per_second: int | None) -> int:
    """Return how many of the lane's batches may be under way at once: of a slow lane, few."""
    paces = (rate_limit_per_second, lane.project.quota_per_minute / 60)
    slowest = min((pace for pace in paces if pace), default=math.inf)
    return int(min(settings.WAVE_BATCHES, max(1, slowest * WAVE_S / settings.BATCH_SIZE)))


def continue_campaign(*, campaign_id: int, now: datetime) -> None:
    """Go on after a wave, as the ledger says: every lane's next wave, or the end of the campaign.

    Of every lane, as its messages may have served others and other lanes' served it (`claiming`):
    which wave is over shows at the batches alone.
    """
    with poison.bounded(campaign_id=campaign_id):
        campaign = PushCampaign.objects.get(pk=campaign_id)
        if campaign.status != CampaignStatus.PROCESSING:
            return
        for lane in Lane.objects.filter(campaign=campaign, halt_reason=""):
            dispatch_next_wave(campaign=campaign, lane_id=lane.pk, now=now)
        transitions.complete_if_settled(campaign_id=campaign_id, now=now)


def dispatch_due_retries(*, campaign: PushCampaign, project_id: int, now: datetime) -> int:
    """Publish the lane's batches whose retry is due, beside whatever wave is under way.

    Together they are no more than a wave may hold; what is left is due at the next look.
    """
    with transaction.atomic():
        lane = _hold_lane(campaign=campaign, project=project_id)
        if lane is None:
            return 0
        limit = wave_batches(lane, rate_limit_per_second=campaign.rate_limit_per_second)
        under_way = _waiting(lane).filter(dispatched_at__isnull=False).count()
        due = _waiting(lane).filter(dispatched_at=None, retry_at__lte=now).order_by("retry_at")
        batch_ids = list(due.values_list("pk", flat=True)[: max(0, limit - under_way)])
        _mark_dispatched(batch_ids, lane=lane, now=now)
    return _publish_each(batch_ids, campaign=campaign)


def dispatch_lost_again(*, campaign: PushCampaign, project_id: int, now: datetime) -> int:
    """Publish the lane's batches again whose messages seem to be lost.

    Nothing counts as lost while the lane moves: then its messages arrive in their turn, unless what
    was published later has been received already (a lane may be kept moving by retries alone).
    Each repeat waits twice as long as the one before, so that a campaign that stands still behind
    others does not fill the queue with copies; a copy that does arrive finds nothing to claim.
    """
    with transaction.atomic():
        lane = _hold_lane(campaign=campaign, project=project_id)
        if lane is None:
            return 0
        under_way = _waiting(lane).filter(dispatched_at__isnull=False)
        if _moves(lane, now=now) and not _is_overtaken(under_way, lane=lane):
            return 0
        batch_ids = [
            batch_id
            for batch_id, dispatched_at, dispatches in under_way.values_list(
                "pk", "dispatched_at", "dispatches"
            )
            if dispatched_at and now - dispatched_at >= timedelta(seconds=patience_s(dispatches))
        ]
        _mark_dispatched(batch_ids, lane=lane, now=now)
    return _publish_each(batch_ids, campaign=campaign)


def _is_overtaken(under_way: QuerySet[DeliveryBatch], *, lane: Lane) -> bool:
    """Return whether all that the lane published last was received, and older things were not.

    Queues keep their order, but for what several workers take at once: hence the margin.
    """
    if lane.published_at is None:
        return False
    youngest = under_way.aggregate(at=Max("dispatched_at"))["at"]
    margin = timedelta(seconds=settings.STANDSTILL_S)
    return youngest is not None and youngest <= lane.published_at - margin


def _hold_lane(**lane: object) -> Lane | None:
    """Lock the lane, for one transaction; None where it is halted.

    Waits for who has it: passed over, what is due now could be passed over by all who look.
    """
    lanes = Lane.objects.select_for_update(of=["self"]).select_related("project")
    return lanes.filter(halt_reason="", **lane).first()


def _waiting(lane: Lane) -> QuerySet[DeliveryBatch]:
    return DeliveryBatch.objects.filter(
        campaign=lane.campaign_id, project=lane.project_id, state=BatchState.PENDING
    )


def _moves(lane: Lane, *, now: datetime) -> bool:
    """Return whether the lane's batches are being sent, or were a moment ago."""
    held = Q(state=BatchState.SENDING, lease_until__gt=now)
    settled = Q(settled_at__gt=now - timedelta(seconds=settings.STANDSTILL_S))
    batches = DeliveryBatch.objects.filter(campaign=lane.campaign_id, project=lane.project_id)
    return batches.filter(held).exists() or batches.filter(settled).exists()


def patience_s(dispatches: int) -> float:
    """Return how long a message published so often may take before it counts as lost."""
    repeats = min(max(dispatches - 1, 0), 16)
    return float(min(settings.STANDSTILL_S * 2**repeats, MAX_PATIENCE_S))


def _publish_each(batch_ids: Sequence[int], *, campaign: PushCampaign) -> int:
    """Publish batches outside of any wave."""
    from campaigns.tasks import send_push_batch

    with _unmarked_if_refused(batch_ids):
        for batch_id in batch_ids:
            send_push_batch.si(batch_id).apply_async(queue=campaign.queue)
    return len(batch_ids)


def _mark_dispatched(batch_ids: Sequence[int], *, lane: Lane, now: datetime) -> None:
    if not batch_ids:
        return
    # Before publishing: a publisher that dies in between leaves batches that look published,
    # and those the rescue finds; the other way round a wave would be published twice.
    DeliveryBatch.objects.filter(pk__in=batch_ids, state=BatchState.PENDING).update(
        dispatched_at=now, dispatches=F("dispatches") + 1
    )
    Lane.objects.filter(pk=lane.pk).update(published_at=now)


def _publish_wave(batch_ids: Sequence[int], *, campaign: PushCampaign) -> None:
    from campaigns.tasks import aggregate_campaign_results, send_push_batch

    header = [send_push_batch.si(batch_id).set(queue=campaign.queue) for batch_id in batch_ids]
    callback = aggregate_campaign_results.si(campaign.pk).set(queue=campaign.queue)
    with _unmarked_if_refused(batch_ids):
        chord(header)(callback)
    # Celery keeps each message's result for who waits for it, and has no other way to forget those
    # of a chord: 1.4 kB a batch, for as long as the process lives. Nobody waits.
    current_app.backend._pending_results.concrete.clear()  # type: ignore[attr-defined]


@contextlib.contextmanager
def _unmarked_if_refused(batch_ids: Sequence[int]) -> Iterator[None]:
    """Take batches for unpublished again where the broker, or the chord's Redis, is away.

    Else they would pass for lost messages, and wait for longer each time. Some of them may have
    been published after all: a batch with two messages is sent once.
    """
    try:
        yield
    except (OperationalError, RedisError):
        DeliveryBatch.objects.filter(pk__in=batch_ids, state=BatchState.PENDING).update(
            dispatched_at=None, dispatches=0
        )
        raise
