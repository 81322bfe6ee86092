"""The ledger's writes: a batch is claimed, settled, given back, taken over or skipped.

Every write is one UPDATE guarded by the state (and, for a holder, by its fencing number), and
goes in one transaction with the campaign's counters. Locks are taken in one order everywhere:
batch, devices, and last the campaign's row, which all workers share.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import repeat
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import F

from campaigns.models import DeliveryBatch, PushCampaign
from campaigns.states import STOPPED, BatchState
from devices.services import deactivate_dead
from pushcore.outcomes import Outcome


class Counts(NamedTuple):
    """How many devices of a batch have which final outcome."""

    success: int
    failure: int
    invalid: int
    unknown: int
    skipped: int

    @classmethod
    def of(cls, outcomes: Sequence[int]) -> Counts:
        """Count a batch's outcomes; pending ones count nowhere."""
        invalid = outcomes.count(Outcome.INVALID_TOKEN)
        return cls(
            success=outcomes.count(Outcome.SUCCESS),
            failure=outcomes.count(Outcome.FAILED) + invalid,
            invalid=invalid,
            unknown=outcomes.count(Outcome.UNKNOWN),
            skipped=outcomes.count(Outcome.SKIPPED),
        )

    def minus(self, other: Counts) -> Counts:
        """Return the difference, field by field."""
        return Counts(*(mine - theirs for mine, theirs in zip(self, other, strict=True)))


class Waiting(NamedTuple):
    """What is remembered of a device that is to be sent again."""

    attempts: int
    ambiguous: bool
    since: float
    """When it was first tried (seconds since the epoch)."""
    due: float
    """Not to be tried again before (seconds since the epoch)."""
    code: str
    """Why the last attempt did not settle it."""


@dataclass(slots=True)
class Entry:
    """The ledger's account of one batch while a worker holds it."""

    batch_id: int
    campaign_id: int
    project_id: int
    attempt: int
    device_ids: list[int]
    outcomes: list[int]
    message_ids: list[str | None]
    errors: dict[str, dict[str, str]]
    retries: dict[int, Waiting]
    maybe_sent: bool
    lease_until: datetime
    counted: Counts
    crashes: int
    dead: list[tuple[int, str]] = field(default_factory=list)
    """Devices (id, address) that the provider called dead, to be deactivated on settling."""

    def due(self, now: datetime) -> list[int]:
        """Return the places of the devices that are to be sent now."""
        stamp = now.timestamp()
        return [
            place
            for place, outcome in enumerate(self.outcomes)
            if outcome == Outcome.PENDING
            and (place not in self.retries or self.retries[place].due <= stamp)
        ]

    def settle_device(
        self, place: int, outcome: Outcome, *, code: str = "", detail: str = ""
    ) -> None:
        """Write one device's final outcome; its reason too where that is no success."""
        self.outcomes[place] = int(outcome)
        self.retries.pop(place, None)
        if code:
            self.errors[str(place)] = {"code": code} | ({"detail": detail} if detail else {})

    def settle_pending(self, outcome: Outcome, *, code: str, detail: str = "") -> None:
        """Give every device that is still pending the same final outcome."""
        for place, current in enumerate(self.outcomes):
            if current == Outcome.PENDING:
                self.settle_device(place, outcome, code=code, detail=detail)

    def close_pending(self) -> None:
        """End what is pending without sending it: unknown where it may have been accepted."""
        for place, current in enumerate(self.outcomes):
            if current == Outcome.PENDING:
                waiting = self.retries.get(place)
                sent = self.maybe_sent or (waiting is not None and waiting.ambiguous)
                self.settle_device(place, Outcome.UNKNOWN if sent else Outcome.SKIPPED)


_CLAIM = """
UPDATE campaigns_deliverybatch AS batch
   SET state = 'sending', attempt = batch.attempt + 1, lease_until = %(lease_until)s,
       dispatched_at = NULL, dispatches = 0, retry_at = NULL, sent_at = %(now)s
  FROM campaigns_pushcampaign AS campaign, campaigns_lane AS lane
 WHERE batch.id = %(batch_id)s AND batch.state = 'pending'
   AND (batch.retry_at IS NULL OR batch.retry_at <= %(now)s)
   AND campaign.id = batch.campaign_id AND campaign.status = 'processing'
   AND (campaign.expires_at IS NULL OR campaign.expires_at > %(now)s)
   AND lane.campaign_id = batch.campaign_id AND lane.project_id = batch.project_id
   AND lane.halt_reason = ''
RETURNING batch.id, batch.campaign_id, batch.project_id, batch.attempt, batch.device_ids,
          batch.outcomes, batch.message_ids, batch.errors::text, batch.retries::text,
          batch.maybe_sent, batch.crashes
"""


def claim_pending_batch(*, batch_id: int, now: datetime, lease_s: float) -> Entry | None:
    """Take the batch for sending, if it is due and its campaign is being sent.

    Returns its account, or None where there is nothing to do: somebody else has it, it is
    settled, it waits for its retry, its campaign is not being sent, or its lane is halted.
    """
    lease_until = now + timedelta(seconds=lease_s)
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"batch_id": batch_id, "now": now, "lease_until": lease_until})
        row = cursor.fetchone()
    return None if row is None else _entry(row, lease_until=lease_until)


def _entry(row: tuple[Any, ...], *, lease_until: datetime) -> Entry:
    device_ids, outcomes, message_ids = row[4], row[5], row[6]
    outcomes = outcomes or [int(Outcome.PENDING)] * len(device_ids)
    return Entry(
        batch_id=row[0],
        campaign_id=row[1],
        project_id=row[2],
        attempt=row[3],
        device_ids=device_ids,
        outcomes=outcomes,
        message_ids=message_ids or [None] * len(device_ids),
        errors=json.loads(row[7]),
        retries={int(place): Waiting(*kept) for place, kept in json.loads(row[8]).items()},
        maybe_sent=row[9],
        lease_until=lease_until,
        counted=Counts.of(outcomes),
        crashes=row[10],
    )


def extend_held_lease(*, batch_id: int, attempt: int, now: datetime, lease_s: float) -> bool:
    """Keep a batch that is still being sent; False where it was taken over meanwhile."""
    rows = DeliveryBatch.objects.filter(
        pk=batch_id, state=BatchState.SENDING, attempt=attempt
    ).update(lease_until=now + timedelta(seconds=lease_s))
    return rows == 1


def settle_held_batch(
    entry: Entry, *, now: datetime, crashed: bool = False, not_before: datetime | None = None
) -> bool:
    """Write the account back, if its holder still holds it; give back what is still pending.

    One transaction: outcomes, state and counts of the batch, dead devices, and the campaign's
    counters. What is pending waits for its `due` and for `not_before`; where the campaign was
    stopped meanwhile it is closed instead. `crashed` counts a failure of our own.

    Returns False, having changed nothing, where the batch was taken over (fencing).
    """
    if Outcome.PENDING in entry.outcomes and _is_stopped(entry.campaign_id):
        entry.close_pending()
    with transaction.atomic():
        written = _write_if(
            BatchState.SENDING, entry, now=now, crashed=crashed, not_before=not_before
        )
        if written:
            if entry.dead:
                deactivate_dead(devices=entry.dead, now=now)
            _count(entry)
    return written


def _is_stopped(campaign_id: int) -> bool:
    return PushCampaign.objects.filter(pk=campaign_id, status__in=STOPPED).exists()


def _write_if(
    state: BatchState,
    entry: Entry,
    *,
    now: datetime,
    crashed: bool = False,
    not_before: datetime | None = None,
) -> bool:
    """Write the account, if the batch is still in `state` under the entry's fencing number."""
    pending = entry.outcomes.count(Outcome.PENDING)
    settled = {
        f"{name}_count": count for name, count in Counts.of(entry.outcomes)._asdict().items()
    }
    rows = DeliveryBatch.objects.filter(
        pk=entry.batch_id, state=state, attempt=entry.attempt
    ).update(
        state=BatchState.PENDING if pending else BatchState.SETTLED,
        lease_until=None,
        dispatched_at=None,
        retry_at=_retry_at(entry, pending=pending, now=now, not_before=not_before),
        outcomes=entry.outcomes,
        message_ids=entry.message_ids,
        errors=entry.errors,
        retries={str(place): list(kept) for place, kept in entry.retries.items()},
        maybe_sent=entry.maybe_sent and pending > 0,
        crashes=F("crashes") + int(crashed),
        settled_at=None if pending else now,
        **settled,
    )
    return rows == 1


def _retry_at(
    entry: Entry, *, pending: int, now: datetime, not_before: datetime | None
) -> datetime | None:
    """Return from when on the batch may be claimed again; None for at once."""
    if pending > len(entry.retries):  # some were never tried: those need not wait
        return not_before
    due = min((kept.due for kept in entry.retries.values()), default=None)
    if due is None:
        return not_before
    return max(datetime.fromtimestamp(due, tz=now.tzinfo), not_before or now)


def _count(entry: Entry) -> None:
    """Move the campaign's counters: last in its transaction, for the shortest lock."""
    delta = Counts.of(entry.outcomes).minus(entry.counted)
    PushCampaign.objects.filter(pk=entry.campaign_id).update(
        sent_count=F("sent_count") + delta.success + delta.failure + delta.unknown,
        **{f"{name}_count": F(f"{name}_count") + value for name, value in delta._asdict().items()},
    )


def rewrite_open_batch(
    *, batch_id: int, state: BatchState, now: datetime, rewrite: Callable[[Entry], None]
) -> bool:
    """Let `rewrite` change the account of a batch that nobody holds, or whose lease has run out.

    Returns False, having changed nothing, where somebody works on it or it has left `state`.
    """
    with transaction.atomic():
        row = (
            DeliveryBatch.objects.select_for_update(skip_locked=True)
            .filter(pk=batch_id, state=state)
            .first()
        )
        if row is None or (row.lease_until is not None and row.lease_until > now):
            return False
        entry = _entry_of(row, now=now)
        rewrite(entry)
        crashed = state == BatchState.SENDING
        written = _write_if(state, entry, now=now, crashed=crashed)
        _count(entry)
    return written


def _entry_of(row: DeliveryBatch, *, now: datetime) -> Entry:
    return Entry(
        batch_id=row.pk,
        campaign_id=row.campaign_id,
        project_id=row.project_id,
        attempt=row.attempt,
        device_ids=row.device_ids,
        outcomes=row.outcomes or [int(Outcome.PENDING)] * len(row.device_ids),
        message_ids=[*(row.message_ids or repeat(None, len(row.device_ids)))],
        errors=row.errors,
        retries={int(place): Waiting(*kept) for place, kept in row.retries.items()},
        maybe_sent=row.maybe_sent,
        lease_until=row.lease_until or now,
        counted=Counts.of(row.outcomes or []),
        crashes=row.crashes,
    )


_SKIP_UNTRIED = """
WITH untried AS (
    SELECT id, skipped_count AS before FROM campaigns_deliverybatch
     WHERE campaign_id = %(campaign_id)s AND state = 'pending'
       AND retries = '{}'::jsonb AND NOT maybe_sent
     ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), skipped AS (
    UPDATE campaigns_deliverybatch AS batch
       SET state = 'cancelled', retry_at = NULL, dispatched_at = NULL, settled_at = %(now)s,
           skipped_count = cardinality(device_ids) - success_count - failure_count - unknown_count,
           outcomes = array_replace(
               coalesce(outcomes, array_fill(0::smallint, ARRAY[cardinality(device_ids)])),
               0::smallint, %(skipped)s::smallint)
      FROM untried WHERE batch.id = untried.id
    RETURNING batch.skipped_count - untried.before AS fresh
), total AS (
    SELECT count(*) AS batches, coalesce(sum(fresh), 0) AS fresh FROM skipped
)
UPDATE campaigns_pushcampaign SET skipped_count = skipped_count + total.fresh
  FROM total WHERE campaigns_pushcampaign.id = %(campaign_id)s
RETURNING total.batches
"""


def skip_untried_batches(*, campaign_id: int, now: datetime, limit: int) -> int:
    """Skip up to `limit` batches of which nothing can have been sent; return how many.

    Set-based, as a cancelled campaign may leave tens of thousands of them.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            _SKIP_UNTRIED,
            {
                "campaign_id": campaign_id,
                "now": now,
                "limit": limit,
                "skipped": int(Outcome.SKIPPED),
            },
        )
        row = cursor.fetchone()
    return int(row[0]) if row else 0


_REOPEN_FAILED = """
WITH failed AS (
    SELECT id, failure_count - invalid_count AS fresh FROM campaigns_deliverybatch
     WHERE campaign_id = %(campaign_id)s AND state = 'settled' AND failure_count > invalid_count
     ORDER BY id FOR UPDATE
), reopened AS (
    UPDATE campaigns_deliverybatch AS batch
       SET state = 'pending', settled_at = NULL, crashes = 0, failure_count = invalid_count,
           outcomes = array_replace(outcomes, %(failed)s::smallint, 0::smallint),
           errors = (SELECT coalesce(jsonb_object_agg(error.key, error.value), '{}')
                       FROM jsonb_each(errors) AS error
                      WHERE outcomes[error.key::int + 1] <> %(failed)s)
      FROM failed WHERE batch.id = failed.id
    RETURNING failed.fresh
), total AS (
    SELECT coalesce(sum(fresh), 0) AS devices FROM reopened
)
UPDATE campaigns_pushcampaign
   SET failure_count = failure_count - total.devices, sent_count = sent_count - total.devices
  FROM total WHERE campaigns_pushcampaign.id = %(campaign_id)s
RETURNING total.devices
"""


def reopen_failed(*, campaign_id: int) -> int:
    """Make every failed device of settled batches pending again, dead ones excepted.

    To be called in one transaction with the move that allows it. Returns how many devices.
    """
    with connection.cursor() as cursor:
        cursor.execute(_REOPEN_FAILED, {"campaign_id": campaign_id, "failed": int(Outcome.FAILED)})
        row = cursor.fetchone()
    return int(row[0]) if row else 0
