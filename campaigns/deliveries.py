"""Who got what: the ledger device by device, in the order of its batches.

A delivery's place in the ledger (project, batch, position) is what pages go by: reading on from a
place is one range of the index over batches, at the millionth device as at the first, where an
offset or a sort of the whole view would cost more and more. Batches without a device of the wanted
statuses are left out by their counts, before their arrays are unpacked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from campaigns.models import PushLog
from devices.models import DeviceToken
from pushcore.outcomes import Outcome

EXPORT_AT_ONCE = 5_000
"""Deliveries read at a time for a file: what is held in memory, whatever the audience."""


class Place(NamedTuple):
    """Where a delivery stands in its campaign's ledger."""

    project: int
    seq: int
    position: int
    """In the batch, from 1."""


START = Place(0, 0, 0)
"""Before the first delivery."""


class Delivery(NamedTuple):
    """What became of one device."""

    place: Place
    device_id: int
    user_id: str | None
    """Whose the device is now; None where it has been deleted since."""
    platform: str | None
    status: str
    """One of `PushLog.Status`."""
    error: str
    detail: str
    """The provider's own words, where the error does not say it all."""
    message_id: str
    sent_at: datetime | None
    """When its batch was last sent; None where nothing was sent to it."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which deliveries of a campaign to read; empty and None stand for all."""

    campaign_id: int
    statuses: Collection[str] = ()
    device_id: int | None = None
    user_id: str | None = None

    def device_ids(self) -> list[int] | None:
        """Return the devices that the choice comes down to; None for any."""
        if self.user_id is None:
            return None if self.device_id is None else [self.device_id]
        devices = DeviceToken.objects.filter(user_id=self.user_id)
        if self.device_id is not None:
            devices = devices.filter(pk=self.device_id)
        return list(devices.values_list("pk", flat=True))


_OUTCOMES = {
    PushLog.Status.PENDING: Outcome.PENDING,
    PushLog.Status.SUCCESS: Outcome.SUCCESS,
    PushLog.Status.INVALID: Outcome.INVALID_TOKEN,
    PushLog.Status.FAILED: Outcome.FAILED,
    PushLog.Status.UNKNOWN: Outcome.UNKNOWN,
    PushLog.Status.SKIPPED: Outcome.SKIPPED,
}
STATUS_OF_OUTCOME = {int(outcome): status.value for status, outcome in _OUTCOMES.items()}
_HAS_SOME = {
    PushLog.Status.PENDING: "state IN ('pending', 'sending')",
    PushLog.Status.SUCCESS: "success_count > 0",
    PushLog.Status.INVALID: "invalid_count > 0",
    PushLog.Status.FAILED: "failure_count > invalid_count",
    PushLog.Status.UNKNOWN: "unknown_count > 0",
    PushLog.Status.SKIPPED: "skipped_count > 0",
}
_OF_DEVICES = """
AND id IN (SELECT holder.id
             FROM unnest(%(device_ids)s::bigint[]) AS wanted (id)
             JOIN campaigns_deliverybatch AS holder
               ON int8range(holder.device_ids[1],
                            holder.device_ids[cardinality(holder.device_ids)], '[]') @> wanted.id)
"""
_PAGE = """
WITH page AS (
    SELECT batch.project_id, batch.seq, entry.place, entry.device_id,
           coalesce(entry.outcome, 0) AS outcome, batch.errors -> (entry.place - 1)::text AS error,
           coalesce(entry.message_id, '') AS message_id, batch.sent_at
      FROM (SELECT * FROM campaigns_deliverybatch
             WHERE campaign_id = %(campaign_id)s
               AND (project_id, seq) >= (%(project)s, %(seq)s) {batches}
             ORDER BY project_id, seq) AS batch,
           LATERAL unnest(batch.device_ids, batch.outcomes, batch.message_ids) WITH ORDINALITY
               AS entry (device_id, outcome, message_id, place)
     WHERE (batch.project_id, batch.seq, entry.place) > (%(project)s, %(seq)s, %(position)s)
           {entries}
     ORDER BY batch.project_id, batch.seq, entry.place LIMIT %(limit)s
)
SELECT page.project_id, page.seq, page.place, page.device_id, device.user_id, device.platform,
       page.outcome, coalesce(page.error ->> 'code', ''), coalesce(page.error ->> 'detail', ''),
       page.message_id, CASE WHEN page.outcome NOT IN (0, 5) THEN page.sent_at END
  FROM page LEFT JOIN devices_devicetoken AS device ON device.id = page.device_id
 ORDER BY page.project_id, page.seq, page.place
"""


def deliveries_after(place: Place, *, wanted: Wanted, limit: int) -> list[Delivery]:
    """Return the next deliveries behind a place, at most `limit`, in the order of the ledger."""
    batches, entries = [], []
    device_ids = wanted.device_ids()
    if device_ids is not None:
        batches.append(_OF_DEVICES)
        entries.append("AND entry.device_id = ANY(%(device_ids)s)")
    if wanted.statuses:
        some = " OR ".join(_HAS_SOME[PushLog.Status(status)] for status in wanted.statuses)
        batches.append(f"AND ({some})")
        entries.append("AND coalesce(entry.outcome, 0) = ANY(%(outcomes)s)")
    with connection.cursor() as cursor:
        cursor.execute(
            _PAGE.format(batches=" ".join(batches), entries=" ".join(entries)),
            place._asdict()
            | {
                "campaign_id": wanted.campaign_id,
                "device_ids": device_ids,
                "outcomes": [int(_OUTCOMES[PushLog.Status(one)]) for one in wanted.statuses],
                "limit": limit,
            },
        )
        return [
            Delivery._make((Place(*row[:3]), *row[3:6], STATUS_OF_OUTCOME[row[6]], *row[7:]))
            for row in cursor
        ]


def all_deliveries(wanted: Wanted) -> Iterator[list[Delivery]]:
    """Yield every delivery, some thousand at a time.

    Each step is a statement of its own: whoever reads slowly holds no transaction open, and memory
    does not grow with the audience.
    """
    place = START
    while page := deliveries_after(place, wanted=wanted, limit=EXPORT_AT_ONCE):
        yield page
        place = page[-1].place
