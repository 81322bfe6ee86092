"""The ledger's writes: a batch is claimed, settled, given back, taken over or skipped.

Every write is one UPDATE guarded by the state (and, for a holder, by its fencing number), and
goes in one transaction with the campaign's counters. Locks are taken in one order everywhere:
batch, devices, and last the campaign's row, which all workers share.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F

from campaigns.entry import ByPlatform, Counts, Entry, storable
from campaigns.models import DeliveryBatch, PushCampaign
from campaigns.states import STOPPED, BatchState
from devices.models import DeviceToken
from devices.services import deactivate_dead
from pushcore.outcomes import Outcome

_COLUMNS = [field.attname for field in DeliveryBatch._meta.concrete_fields]
_CLAIM = """
UPDATE campaigns_deliverybatch AS batch
   SET state = 'sending', attempt = batch.attempt + 1, lease_until = %(lease_until)s,
       dispatched_at = NULL, dispatches = 0, retry_at = NULL, sent_at = %(now)s
  FROM campaigns_pushcampaign AS campaign, campaigns_lane AS lane
 WHERE batch.id = {which} AND batch.state = 'pending'
   AND (batch.retry_at IS NULL OR batch.retry_at <= %(now)s)
   AND campaign.id = batch.campaign_id AND campaign.status = 'processing'
   AND (campaign.expires_at IS NULL OR campaign.expires_at > %(now)s)
   AND lane.campaign_id = batch.campaign_id AND lane.project_id = batch.project_id
   AND lane.halt_reason = ''
RETURNING {columns}
"""
_RETURNED = ", ".join(f"batch.{column}" for column in _COLUMNS)
_CLAIM_NAMED = _CLAIM.format(which="%(batch_id)s", columns=_RETURNED)
# Only what has a message: the rest is for the next wave.
_NEXT = """(
       SELECT id FROM campaigns_deliverybatch
        WHERE campaign_id = %(campaign_id)s AND project_id = %(project_id)s
          AND state = 'pending' AND dispatched_at IS NOT NULL
          AND (retry_at IS NULL OR retry_at <= %(now)s)
        ORDER BY seq LIMIT 1 FOR UPDATE SKIP LOCKED)"""
_CLAIM_NEXT = _CLAIM.format(which=_NEXT, columns=_RETURNED)


def claim_pending_batch(*, batch_id: int, now: datetime, lease_s: float) -> Entry | None:
    """Take the batch for sending, if it is due and its campaign is being sent.

    Returns its account, or None where there is nothing to do: somebody else has it, it is
    settled, it waits for its retry, its campaign is not being sent, or its lane is halted.
    """
    return _claim(_CLAIM_NAMED, {"batch_id": batch_id}, now=now, lease_s=lease_s)


def claim_next_batch(
    *, campaign_id: int, project_id: int, now: datetime, lease_s: float
) -> Entry | None:
    """Take the lane's first batch that a message is under way for and that is due.

    Several at once take one each. None where there is none, the campaign is not being sent, or the
    lane is halted.
    """
    lane = {"campaign_id": campaign_id, "project_id": project_id}
    return _claim(_CLAIM_NEXT, lane, now=now, lease_s=lease_s)


def _claim(statement: str, which: dict[str, int], *, now: datetime, lease_s: float) -> Entry | None:
    lease = {"now": now, "lease_until": now + timedelta(seconds=lease_s)}
    with connection.cursor() as cursor:
        cursor.execute(statement, {**which, **lease})
        row = cursor.fetchone()
    return Entry.of(_batch(row)) if row else None


def _batch(row: Sequence[Any]) -> DeliveryBatch:
    """Return the batch of which these are all columns."""
    values = dict(zip(_COLUMNS, row, strict=True))
    for name in ("errors", "retries", "by_platform"):
        values[name] = json.loads(values[name])
    return DeliveryBatch.from_db(connection.alias, _COLUMNS, list(values.values()))


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
    if Outcome.PENDING in entry.outcomes and _is_stopped(entry.batch.campaign_id):
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


# Written by hand, as it is run for every batch: the ORM would take three times as long to put five
# hundred outcomes and message ids into words.
_WRITE = """
UPDATE campaigns_deliverybatch
   SET state = %(after)s, lease_until = NULL, dispatched_at = NULL, retry_at = %(retry_at)s,
       outcomes = %(outcomes)s::smallint[], message_ids = %(message_ids)s::text[],
       errors = %(errors)s::jsonb, retries = %(retries)s::jsonb, maybe_sent = %(maybe_sent)s,
       crashes = crashes + %(crashed)s, settled_at = %(settled_at)s,
       success_count = %(success)s, failure_count = %(failure)s, invalid_count = %(invalid)s,
       unknown_count = %(unknown)s, skipped_count = %(skipped)s,
       by_platform = %(by_platform)s::jsonb
 WHERE id = %(batch_id)s AND state = %(before)s AND attempt = %(attempt)s
"""


def _write_if(
    state: BatchState,
    entry: Entry,
    *,
    now: datetime,
    crashed: bool = False,
    not_before: datetime | None = None,
) -> bool:
    """Write the account, if the batch is still in `state` under the entry's fencing number."""
    pending = entry.outcomes.count(0)
    values = Counts.of(entry.outcomes)._asdict() | {
        "batch_id": entry.batch.pk,
        "before": state,
        "attempt": entry.attempt,
        "after": BatchState.PENDING if pending else BatchState.SETTLED,
        "retry_at": _retry_at(entry, pending=pending, now=now, not_before=not_before),
        "outcomes": "{" + ",".join(map("012345".__getitem__, entry.outcomes)) + "}",
        "message_ids": _text_array(entry.message_ids),
        "errors": json.dumps(entry.errors),
        "retries": json.dumps({str(place): kept for place, kept in entry.retries.items()}),
        "maybe_sent": entry.maybe_sent and pending > 0,
        "by_platform": json.dumps(entry.by_platform_now() or _recounted(entry)),
        "crashed": int(crashed),
        "settled_at": None if pending else now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, values)
        return int(cursor.rowcount) == 1


def _recounted(entry: Entry) -> ByPlatform:
    devices = DeviceToken.objects.filter(pk__in=entry.device_ids)
    platforms = dict(devices.values_list("pk", "platform"))
    return entry.count_by_platform(platforms.get(device, "") for device in entry.device_ids)


def _text_array(texts: Sequence[str | None]) -> str | list[str | None]:
    """Return what PostgreSQL reads as an array of texts; as one literal where that is safe."""
    said = "".join(filter(None, texts))
    if '"' in said or "\\" in said or "\0" in said:
        return [text and storable(text) for text in texts]
    return "{" + ",".join(["NULL" if text is None else f'"{text}"' for text in texts]) + "}"


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
    PushCampaign.objects.filter(pk=entry.batch.campaign_id).update(
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
        entry = Entry.of(row)
        rewrite(entry)
        crashed = state == BatchState.SENDING
        written = _write_if(state, entry, now=now, crashed=crashed)
        _count(entry)
    return written


# Of each platform: pending, success, invalid, failed, unknown, skipped.
_EACH_PLATFORM = """(
               SELECT coalesce(jsonb_object_agg(key, jsonb_build_array({})), '{{}}')
                 FROM jsonb_each(by_platform))"""
_PENDING_AS_SKIPPED = _EACH_PLATFORM.format(
    "0, value->1, value->2, value->3, value->4, (value->5)::int + (value->0)::int"
)
_FAILED_AS_PENDING = _EACH_PLATFORM.format(
    "(value->0)::int + (value->3)::int, value->1, value->2, 0, value->4, value->5"
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
           by_platform = {by_platform},
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
""".replace("{by_platform}", _PENDING_AS_SKIPPED)


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
           by_platform = {by_platform},
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
""".replace("{by_platform}", _FAILED_AS_PENDING)


def reopen_failed(*, campaign_id: int) -> int:
    """Make every failed device of settled batches pending again, dead ones excepted.

    To be called in one transaction with the move that allows it. Returns how many devices.
    """
    with connection.cursor() as cursor:
        cursor.execute(_REOPEN_FAILED, {"campaign_id": campaign_id, "failed": int(Outcome.FAILED)})
        row = cursor.fetchone()
    return int(row[0]) if row else 0
