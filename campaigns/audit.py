"""The audit: recounts the ledger, device by device, against every number kept beside it.

One statement, so one snapshot: it may run while campaigns are being sent, as a settlement moves
outcomes, batch and counters in one transaction.
"""

from __future__ import annotations

from typing import NamedTuple

from django.db import connection

from pushcore.outcomes import Outcome


class Drift(NamedTuple):
    """A number that is not what the ledger says."""

    campaign_id: int
    what: str
    """The campaign's counter; or `batches`, for those whose own counts are those of their
    outcomes; or `devices`, for those that stand in one batch only."""
    recorded: int
    recounted: int


_OUTCOMES: dict[str, int | None] = {one.name.lower(): int(one) for one in Outcome}
_RECOUNT = """
WITH batch AS (
    SELECT campaign_id, success_count, failure_count, invalid_count, unknown_count, skipped_count,
           counted.*
      FROM campaigns_deliverybatch, LATERAL (
        SELECT count(*) AS devices,
               count(*) FILTER (WHERE outcome = %(success)s) AS success,
               count(*) FILTER (WHERE outcome IN (%(invalid_token)s, %(failed)s))
                   AS failure,
               count(*) FILTER (WHERE outcome = %(invalid_token)s) AS invalid,
               count(*) FILTER (WHERE outcome = %(unknown)s) AS unknown,
               count(*) FILTER (WHERE outcome = %(skipped)s) AS skipped
          FROM unnest(device_ids, outcomes) AS entry (device_id, outcome)
      ) AS counted
     WHERE %(campaign_id)s IS NULL OR campaign_id = %(campaign_id)s
), ledger AS (
    SELECT campaign_id, sum(devices) AS devices, sum(success) AS success, sum(failure) AS failure,
           sum(invalid) AS invalid, sum(unknown) AS unknown, sum(skipped) AS skipped,
           count(*) AS batches,
           count(*) FILTER (
               WHERE (success, failure, invalid, unknown, skipped) = (
                   success_count, failure_count, invalid_count, unknown_count, skipped_count)
           ) AS sound_batches
      FROM batch GROUP BY campaign_id
), told_apart AS (
    SELECT campaign_id, count(DISTINCT device_id) AS devices
      FROM campaigns_deliverybatch, unnest(device_ids) AS device_id
     WHERE %(campaign_id)s IS NULL OR campaign_id = %(campaign_id)s GROUP BY campaign_id
)
SELECT campaign.id, number.what, number.recorded, number.recounted
  FROM campaigns_pushcampaign AS campaign
  LEFT JOIN ledger ON ledger.campaign_id = campaign.id
  LEFT JOIN told_apart ON told_apart.campaign_id = campaign.id,
       LATERAL (VALUES
           (1, 'total_recipients', campaign.total_recipients, coalesce(ledger.devices, 0)),
           (2, 'sent_count', campaign.sent_count,
            coalesce(ledger.success + ledger.failure + ledger.unknown, 0)),
           (3, 'success_count', campaign.success_count, coalesce(ledger.success, 0)),
           (4, 'failure_count', campaign.failure_count, coalesce(ledger.failure, 0)),
           (5, 'invalid_count', campaign.invalid_count, coalesce(ledger.invalid, 0)),
           (6, 'unknown_count', campaign.unknown_count, coalesce(ledger.unknown, 0)),
           (7, 'skipped_count', campaign.skipped_count, coalesce(ledger.skipped, 0)),
           (8, 'batches', ledger.batches, ledger.sound_batches),
           (9, 'devices', ledger.devices, told_apart.devices)
       ) AS number (place, what, recorded, recounted)
 WHERE (%(campaign_id)s IS NULL OR campaign.id = %(campaign_id)s)
   AND number.recorded <> number.recounted
 ORDER BY campaign.id, number.place
"""


def find_drift(*, campaign_id: int | None = None) -> list[Drift]:
    """Return every number that the ledger contradicts; of one campaign, or of all.

    Empty where all is exact. Reads the whole ledger of what it audits: about a second for a
    million devices.
    """
    with connection.cursor() as cursor:
        cursor.execute(_RECOUNT, _OUTCOMES | {"campaign_id": campaign_id})
        return [
            Drift(found, what, int(recorded), int(recounted))
            for found, what, recorded, recounted in cursor.fetchall()
        ]
