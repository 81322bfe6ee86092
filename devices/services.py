"""What happens to devices, whoever asks for it.

Many devices at once are locked in the order of their digests, here and in `devices.merging`, so
that campaigns that settle, merges and clean-ups cannot deadlock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from django.db import connection, transaction
from django.db.models import Value

from devices.merging import Merged, merge_rows
from devices.models import AddressDigest, DeviceToken, InactiveReason
from devices.projects import row_rules
from devices.rules import Given, Problem, Row, RowRefused, check_changes

_PRUNE_AT_ONCE: Final = 10_000
"""Devices per transaction: others never wait long for one of them."""
_DEACTIVATE_DEAD: Final = """
UPDATE devices_devicetoken AS device
   SET is_active = false, inactive_reason = 'dead_address',
       inactive_since = %(now)s, updated_at = %(now)s
  FROM (
    SELECT found.id FROM devices_devicetoken AS found
      JOIN unnest(%(ids)s::bigint[], %(addresses)s::text[]) AS dead (id, address)
        ON found.id = dead.id AND found.address = dead.address
     WHERE found.is_active
     ORDER BY found.address_digest, found.project_id FOR UPDATE OF found
  ) AS locked
 WHERE device.id = locked.id
"""
_PRUNE: Final = """
WITH stale AS (
  SELECT id FROM devices_devicetoken
   WHERE id > %(after)s AND is_active AND last_seen_at < %(before)s ORDER BY id LIMIT %(limit)s
), locked AS (
  SELECT device.id FROM devices_devicetoken AS device JOIN stale USING (id)
   WHERE device.is_active AND device.last_seen_at < %(before)s
   ORDER BY device.address_digest, device.project_id FOR UPDATE OF device
), pruned AS (
  UPDATE devices_devicetoken AS device
     SET is_active = false, inactive_reason = 'stale', inactive_since = %(now)s,
         updated_at = %(now)s
    FROM locked WHERE device.id = locked.id
  RETURNING 1
)
SELECT (SELECT max(id) FROM stale), (SELECT count(*) FROM pruned)
"""


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What a bulk call did."""

    merged: Merged
    errors: list[tuple[int, Problem]]
    """Broken rules by the row's index, from 0."""
    repeated: list[tuple[int, int]]
    """Rows that a later one for the same address made void: its index, the later one's."""


def register_device(*, given: Given, now: datetime) -> tuple[DeviceToken, bool]:
    """Register the device at an address, or say anew what is known of it; tell whether it is new.

    The application registers what it runs on: the device counts as seen now, and comes back if it
    was deactivated, whatever for. An address that was another user's is this one's from now on.

    Raises:
        RowRefused: rules are broken; nothing has changed.
    """
    row = row_rules(now=now).check(given)
    row = row._replace(last_seen_at=row.last_seen_at or now)
    with transaction.atomic(), connection.cursor() as cursor:
        merged = merge_rows(cursor, rows=[row], now=now, reactivate=True)
    device = DeviceToken.objects.select_related("project").get(
        project=row.facts.project_id, address_digest=AddressDigest(Value(row.address))
    )
    return device, merged.created == 1


def upsert_devices(*, rows: Sequence[Given | Problem], now: datetime) -> BulkResult:
    """Register or update many devices at once; the good rows are kept, the bad ones told of.

    This speaks about devices, it is none: without a `last_seen_at` a device that exists does not
    count as seen. One that was deactivated comes back only if it was seen since, and one that the
    application deactivated does not.
    """
    rules = row_rules(now=now)
    errors: list[tuple[int, Problem]] = []
    latest: dict[tuple[int, str], tuple[int, Row]] = {}
    voided: list[tuple[tuple[int, str], int]] = []
    for index, given in enumerate(rows):
        try:
            if isinstance(given, Problem):
                raise RowRefused([given])
            row = rules.check(given)
        except RowRefused as refusal:
            errors += [(index, problem) for problem in refusal.problems]
            continue
        key = (row.facts.project_id, row.address)
        if key in latest:
            voided.append((key, latest[key][0]))
        latest[key] = (index, row)
    with transaction.atomic(), connection.cursor() as cursor:
        merged = merge_rows(cursor, rows=[row for _, row in latest.values()], now=now)
    return BulkResult(merged, errors, [(index, latest[key][0]) for key, index in voided])


def change_device(*, device_id: int, given: Given, now: datetime) -> DeviceToken:
    """Change what is known of a device, but its address; `is_active` deactivates or brings back.

    Raises:
        DeviceToken.DoesNotExist: there is no such device.
        RowRefused: rules are broken; nothing has changed.
    """
    changes: dict[str, Any] = check_changes(given)
    is_active = changes.pop("is_active", None)
    if "tags" in changes:
        changes["tags"] = orjson.loads(changes["tags"])
    if is_active:
        changes |= {"is_active": True, "inactive_reason": "", "inactive_since": None}
    with transaction.atomic():
        if not DeviceToken.objects.filter(pk=device_id).update(**changes, updated_at=now):
            raise DeviceToken.DoesNotExist
        if is_active is False:
            deactivate_device(device_id=device_id, now=now)
    return DeviceToken.objects.select_related("project").get(pk=device_id)


def deactivate_device(*, device_id: int, now: datetime) -> bool:
    """Deactivate a device at the application's request; False where that was done before.

    One that is inactive for another reason takes this one: only the application ends it.

    Raises:
        DeviceToken.DoesNotExist: there is no such device.
    """
    device = DeviceToken.objects.filter(pk=device_id)
    changed = device.exclude(inactive_reason=InactiveReason.REQUESTED).update(
        is_active=False,
        inactive_reason=InactiveReason.REQUESTED,
        inactive_since=now,
        updated_at=now,
    )
    if not changed and not device.exists():
        raise DeviceToken.DoesNotExist
    return changed == 1


def deactivate_dead(*, devices: Sequence[tuple[int, str]], now: datetime) -> int:
    """Deactivate devices (id, address) that the provider called dead; return how many.

    A device whose address has changed since it was sent to is left alone.
    """
    ids, addresses = zip(*devices, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(
            _DEACTIVATE_DEAD, {"ids": list(ids), "addresses": list(addresses), "now": now}
        )
        return int(cursor.rowcount)


def count_stale(*, before: datetime) -> int:
    """Return how many active devices were last seen before that moment."""
    return DeviceToken.objects.filter(is_active=True, last_seen_at__lt=before).count()


def deactivate_stale(*, before: datetime, now: datetime) -> int:
    """Deactivate active devices last seen before that moment, slice by slice; return how many.

    What is done stays done if this is interrupted, and the next run goes on from there.
    """
    after, total = 0, 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                _PRUNE, {"after": after, "before": before, "now": now, "limit": _PRUNE_AT_ONCE}
            )
            last, pruned = cursor.fetchone()
        total += int(pruned)
        if last is None:
            return total
        after = last
