"""Which batch is sent for a message: the one that it names, or one that can start sooner.

Queues hand out their messages in order, and a wave is up to a thousand of them. Were each batch
sent for its own message only, all processes would wait for the pace of one lane, while the quota
of other projects, whose messages stand behind, went unused. So where the lane of the named batch
goes as fast as it may already, its message serves another lane of the same priority; the message of
that one, finding its own batch gone, serves whoever is left. There are as many messages as batches,
so none is left over; and if messages get lost, the rescue publishes new ones as ever. A lane that
others' messages have served may run out of published batches while its own messages still stand in
the queue, so that no callback comes: whoever finds it so publishes its next wave.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Final, NamedTuple

from django.db.models import Exists, F, OuterRef
from kombu.exceptions import OperationalError as BrokerError
from redis import RedisError

from campaigns import dispatch, engine
from campaigns.entry import Entry
from campaigns.ledger import claim_next_batch, claim_pending_batch
from campaigns.models import DeliveryBatch, Lane, PushCampaign
from campaigns.states import BatchState, CampaignStatus
from devices.models import FcmProject
from pushcore.messages import Priority

BUSY_S: Final = 0.02
"""A lane that is further ahead of its pace than that may leave a process to another one; a batch
that somebody has in hand puts it ahead by 0.05 s at the default quota."""
MOST_LOOKED_AT: Final = 8
"""Other lanes looked at for one message: with two hundred, all of them would take too long."""


class RunningLane(NamedTuple):
    """A lane that is being sent and has something left to send, and what its pace hangs on."""

    pk: int
    campaign_id: int
    priority: Priority
    rate_limit_per_second: int | None
    project: FcmProject

    def ahead_s(self) -> float:
        """Return by how many seconds what was granted, or is in hand, is ahead of its pace."""
        return engine.pacer_of(self.project).ahead_s(
            priority=self.priority,
            campaign_key=str(self.campaign_id),
            campaign_rate=self.rate_limit_per_second,
        )


class _Lanes(NamedTuple):
    """The lane of a message's batch, where it is being sent, and others of the same priority."""

    own: RunningLane | None
    others: list[RunningLane]

    def sooner(self) -> list[RunningLane]:
        """Return whoever can start clearly sooner than a busy own lane, the soonest first."""
        if self.own is None or (ahead_s := self.own.ahead_s()) <= BUSY_S:
            return []
        return [lane for wait_s, lane in self._others_by_wait() if wait_s < ahead_s - BUSY_S]

    def all(self) -> list[RunningLane]:
        """Return the own lane, then the others, the soonest first."""
        own = [] if self.own is None else [self.own]
        return own + [lane for _, lane in self._others_by_wait()]

    def _others_by_wait(self) -> list[tuple[float, RunningLane]]:
        waits = [(lane.ahead_s(), lane) for lane in self.others]
        return sorted(waits, key=itemgetter(0))


def claim_for_message(*, batch_id: int, now: datetime, lease_s: float) -> Entry | None:
    """Claim the batch that the message names, or another; None where there is none to claim."""
    running = _running_lanes(int(time.monotonic()))
    lanes = None
    if _have_a_choice(running):
        lanes = _lanes_of(batch_id, running)
        for lane in lanes.sooner():
            sooner = _claim_next(lane, now=now, lease_s=lease_s)
            if sooner is None and _publish_more(lane, now=now):
                sooner = _claim_next(lane, now=now, lease_s=lease_s)
            if sooner is not None:
                return sooner
    named = claim_pending_batch(batch_id=batch_id, now=now, lease_s=lease_s)
    if named is not None:
        return named
    lanes = lanes or _lanes_of(batch_id, running)
    claims = (_claim_next(lane, now=now, lease_s=lease_s) for lane in lanes.all())
    return next((claim for claim in claims if claim is not None), None)


@contextlib.contextmanager
def in_hand(entry: Entry, *, lease_s: float) -> Iterator[None]:
    """Let others know, within the block, that the entry's batch wants its project's pace.

    Else all processes that are free in one moment would serve the same lane, and share its pace
    while another's went unused.
    """
    if not _have_a_choice(_running_lanes(int(time.monotonic()))):
        yield
        return
    pacer, batch = engine.pacer_of(entry.project), entry.batch
    pacer.announce(str(batch.pk), messages=len(batch.device_ids), for_s=lease_s)
    try:
        yield
    finally:
        pacer.withdraw(str(batch.pk))


def _have_a_choice(running: Sequence[RunningLane]) -> bool:
    """Tell whether two lanes are of the same priority: else none has a place to change."""
    return len({lane.priority for lane in running}) < len(running)


@lru_cache(maxsize=1)
def _running_lanes(_second: int) -> list[RunningLane]:
    """Read the lanes with something left to send, once in each second of the monotonic clock."""
    left = DeliveryBatch.objects.filter(
        campaign=OuterRef("campaign"), project=OuterRef("project"), state=BatchState.PENDING
    )
    lanes = Lane.objects.filter(
        Exists(left), halt_reason="", campaign__status=CampaignStatus.PROCESSING
    )
    rows = lanes.select_related("project").annotate(
        priority=F("campaign__priority"), rate=F("campaign__rate_limit_per_second")
    )
    return [
        RunningLane(lane.pk, lane.campaign_id, Priority(lane.priority), lane.rate, lane.project)
        for lane in rows.order_by("pk")
    ]


def _lanes_of(batch_id: int, running: Sequence[RunningLane]) -> _Lanes:
    row = (
        DeliveryBatch.objects.filter(pk=batch_id)
        .values_list("campaign_id", "project_id", "campaign__priority")
        .first()
    )
    if row is None:  # deleted with its campaign
        return _Lanes(None, [])
    own = [lane for lane in running if (lane.campaign_id, lane.project.pk) == row[:2]]
    others = [lane for lane in running if lane.priority == row[2] and lane not in own]
    # Not always the same ones, where there are many.
    first = batch_id % len(others) if others else 0
    return _Lanes(own[0] if own else None, (others[first:] + others[:first])[:MOST_LOOKED_AT])


def _claim_next(lane: RunningLane, *, now: datetime, lease_s: float) -> Entry | None:
    return claim_next_batch(
        campaign_id=lane.campaign_id, project_id=lane.project.pk, now=now, lease_s=lease_s
    )


def _publish_more(lane: RunningLane, *, now: datetime) -> bool:
    """Publish the lane's next wave, if there is something to publish and the broker takes it."""
    # Whom it is for may be a list of any length; the plan has read it.
    campaign = PushCampaign.objects.defer("target_user_ids").get(pk=lane.campaign_id)
    try:
        return dispatch.dispatch_next_wave(campaign=campaign, lane_id=lane.pk, now=now) > 0
    except (BrokerError, RedisError):
        return False  # as the batches are unpublished again, the rescue tries later
