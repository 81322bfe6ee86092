"""Merging rows into the devices: what is new is inserted, what differs is updated, set-based.

The rows come from anything that SQL can select from (`SOURCE_COLUMNS`), each address but once. A
value that is NULL says nothing.

Locks are taken in the order of the digests, here and wherever else many devices are written, so
that merges and settling campaigns cannot deadlock. Inserting comes first: it waits for nobody but
inserting merges, which come in the same order.

A device that is inactive comes back where it was seen after it was deactivated; one that the
application deactivated comes back only where the application itself registers it again
(`reactivate`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.db import IntegrityError, transaction

from devices.rules import Row

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

SOURCE_COLUMNS: Final = (
    "digest, project_id, user_id, address, address_kind, platform,"
    " language, country, timezone, app_version, tags, last_seen_at"
)
# The plan must not depend on statistics, which are always stale here: the source has none, and the
# devices may just be growing from nothing to a million. Planned for an empty table a join reads the
# whole index for every row. So each device is looked up by its key, in the order of the sorted
# source: a subquery with an OFFSET is never made a join, and `= ANY (ARRAY[…])` joins by index
# lookups only. The memory is what it takes to sort the rows of one range.
_PLAN: Final = """
SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL jit = off;
SET LOCAL work_mem = '64MB'
"""
_COUNT: Final = "SELECT count(*) FROM ({source}) AS row"
_INSERT: Final = """
WITH inserted AS (
  INSERT INTO devices_devicetoken
    (project_id, user_id, address, address_kind, platform, language, country, timezone,
     app_version, tags, last_seen_at, created_at, updated_at)
  SELECT project_id, user_id, address, COALESCE(address_kind, 'token'), platform,
         COALESCE(language, ''), COALESCE(country, ''), COALESCE(timezone, ''),
         COALESCE(app_version, ''), COALESCE(tags, '{{}}'), COALESCE(last_seen_at, %(now)s),
         %(now)s, %(now)s
    FROM ({source} ORDER BY digest, project_id) AS given
   WHERE NOT EXISTS (  -- a conflict would use up an id
     SELECT FROM devices_devicetoken AS device
      WHERE device.project_id = given.project_id AND device.address_digest = given.digest
     OFFSET 0)
  {conflict}
  RETURNING 1
)
SELECT count(*) FROM inserted
"""
_SKIP: Final = "ON CONFLICT (project_id, address_digest) DO NOTHING"
_REVIVED: Final = """
NOT device.is_active AND (
  %(reactivate)s OR (device.inactive_reason <> 'requested' AND COALESCE(
    given.last_seen_at > COALESCE(device.inactive_since, device.updated_at), false)))
"""
_UPDATE: Final = """
UPDATE devices_devicetoken AS device
   SET user_id = given.user_id,
       platform = given.platform,
       address_kind = COALESCE(given.address_kind, device.address_kind),
       language = COALESCE(given.language, device.language),
       country = COALESCE(given.country, device.country),
       timezone = COALESCE(given.timezone, device.timezone),
       app_version = COALESCE(given.app_version, device.app_version),
       tags = COALESCE(given.tags, device.tags),
       last_seen_at = GREATEST(given.last_seen_at, device.last_seen_at),
       is_active = device.is_active OR {revived},
       inactive_reason = CASE WHEN {revived} THEN '' ELSE device.inactive_reason END,
       inactive_since = CASE WHEN {revived} THEN NULL ELSE device.inactive_since END,
       updated_at = %(now)s
  FROM ({source} ORDER BY digest, project_id) AS given
 WHERE device.project_id = ANY (ARRAY[given.project_id])
   AND device.address_digest = ANY (ARRAY[given.digest])
   AND ((device.user_id, device.platform) <> (given.user_id, given.platform)
     OR device.address_kind <> given.address_kind
     OR device.language <> given.language OR device.country <> given.country
     OR device.timezone <> given.timezone OR device.app_version <> given.app_version
     OR device.tags <> given.tags OR device.last_seen_at < given.last_seen_at
     OR ({revived}))
"""
_ROWS: Final = """
SELECT pushcore_address_digest(address) AS digest, project_id, user_id, address,
       address_kind, platform, language, country, timezone, app_version, tags::jsonb AS tags,
       last_seen_at
  FROM unnest(%(projects)s::bigint[], %(users)s::text[], %(addresses)s::text[],
              %(kinds)s::text[], %(platforms)s::text[], %(languages)s::text[],
              %(countries)s::text[], %(timezones)s::text[], %(versions)s::text[],
              %(tags)s::text[], %(seen)s::timestamptz[])
    AS row (project_id, user_id, address, address_kind, platform, language, country, timezone,
            app_version, tags, last_seen_at)
"""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did; with `repeated`, the counts add up to the rows that came in."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    repeated: int = 0
    """Rows that a later row for the same address made void."""

    def __add__(self, other: Merged) -> Merged:
        return Merged(
            self.created + other.created,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.repeated + other.repeated,
        )


def merge(
    cursor: CursorWrapper,
    *,
    source: str,
    parameters: Mapping[str, Any],
    now: datetime,
    reactivate: bool = False,
    is_large: bool = False,
) -> Merged:
    """Merge the rows that the SELECT `source` yields, inside the caller's transaction.

    `source` ends where an ORDER BY may follow.

    `is_large` says that it pays to hope that nobody inserts one of these addresses meanwhile.
    """
    bound = {**parameters, "now": now, "reactivate": reactivate}
    cursor.execute(_PLAN)
    cursor.execute(_COUNT.format(source=source), bound)
    [rows] = cursor.fetchone()
    created = _insert_hopefully(cursor, source, bound) if is_large else None
    if created is None:
        cursor.execute(_INSERT.format(source=source, conflict=_SKIP), bound)
        [created] = cursor.fetchone()
    if created == rows:  # nothing was there before
        return Merged(created=created)
    cursor.execute(_UPDATE.format(source=source, revived=_REVIVED), bound)
    updated = cursor.rowcount
    return Merged(created=created, updated=updated, unchanged=rows - created - updated)


def _insert_hopefully(cursor: CursorWrapper, source: str, bound: Mapping[str, Any]) -> int | None:
    """Insert what is not there, None where somebody inserted one of the addresses meanwhile.

    To be ready for that costs a tenth of an import, and it is rare.
    """
    try:
        with transaction.atomic():
            cursor.execute(_INSERT.format(source=source, conflict=""), bound)
            [created] = cursor.fetchone()
            return int(created)
    except IntegrityError:
        return None


def merge_rows(
    cursor: CursorWrapper, *, rows: Sequence[Row], now: datetime, reactivate: bool = False
) -> Merged:
    """Merge rows that are in memory, each address once, inside the caller's transaction."""
    facts = [row.facts for row in rows]
    parameters: dict[str, Any] = {
        "projects": [one.project_id for one in facts],
        "users": [row.user_id for row in rows],
        "addresses": [row.address for row in rows],
        "kinds": [one.address_kind for one in facts],
        "platforms": [one.platform for one in facts],
        "languages": [one.language for one in facts],
        "countries": [one.country for one in facts],
        "timezones": [one.timezone for one in facts],
        "versions": [one.app_version for one in facts],
        "tags": [row.tags for row in rows],
        "seen": [row.last_seen_at for row in rows],
    }
    return merge(
        cursor,
        source=_ROWS,
        parameters=parameters,
        now=now,
        reactivate=reactivate,
    )
