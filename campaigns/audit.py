"""The audit: recounts the ledger, device by device, against every number kept beside it.

One statement, so one snapshot: it may run while campaigns are being sent, as a settlement moves
outcomes, batch and counters in one transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection
from django.db.models import Q

from campaigns.models import AuditRun, PushCampaign
from campaigns.states import CampaignStatus
from pushcore.metrics import ACCOUNT_AUDITED, ACCOUNT_DRIFT
from pushcore.outcomes import Outcome

logger = logging.getLogger(__name__)


class Drift(NamedTuple):
    """A number that is not what the ledger says."""

    campaign_id: int
    what: str
    """The campaign's counter; or `batches`, for those whose own counts are those of their
    outcomes; or `devices`, for those that stand in one batch only."""
    recorded: int
    recounted: int


_OUTCOMES: dict[str, int | list[int] | None] = {one.name.lower(): int(one) for one in Outcome}
_COUNT_EACH_DEVICE = """
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
     WHERE %(ids)s::bigint[] IS NULL OR campaign_id = ANY(%(ids)s)
), told_apart AS (
    SELECT campaign_id, count(DISTINCT device_id) AS devices
      FROM campaigns_deliverybatch, unnest(device_ids) AS device_id
     WHERE %(ids)s::bigint[] IS NULL OR campaign_id = ANY(%(ids)s) GROUP BY campaign_id
), ledger AS (
    SELECT campaign_id, sum(batch.devices) AS devices, sum(success) AS success,
           sum(failure) AS failure, sum(invalid) AS invalid, sum(unknown) AS unknown,
           sum(skipped) AS skipped, count(*) AS batches,
           count(*) FILTER (
               WHERE (success, failure, invalid, unknown, skipped) = (
                   success_count, failure_count, invalid_count, unknown_count, skipped_count)
           ) AS sound_batches,
           min(told_apart.devices) AS different_devices
      FROM batch LEFT JOIN told_apart USING (campaign_id) GROUP BY campaign_id
)
"""
# What a batch says of itself is believed here: two thousand rows for a million devices.
_COUNT_EACH_BATCH = """
WITH ledger AS (
    SELECT campaign_id, sum(cardinality(device_ids)) AS devices, sum(success_count) AS success,
           sum(failure_count) AS failure, sum(invalid_count) AS invalid,
           sum(unknown_count) AS unknown, sum(skipped_count) AS skipped,
           0 AS batches, 0 AS sound_batches, sum(cardinality(device_ids)) AS different_devices
      FROM campaigns_deliverybatch WHERE campaign_id = ANY(%(ids)s) GROUP BY campaign_id
)
"""
_COMPARE = """
SELECT campaign.id, number.what, number.recorded, number.recounted
  FROM campaigns_pushcampaign AS campaign
  LEFT JOIN ledger ON ledger.campaign_id = campaign.id,
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
           (9, 'devices', ledger.devices, ledger.different_devices)
       ) AS number (place, what, recorded, recounted)
 WHERE (%(ids)s::bigint[] IS NULL OR campaign.id = ANY(%(ids)s))
   AND number.recorded <> number.recounted
 ORDER BY campaign.id, number.place
"""
LATELY = timedelta(hours=1)
"""A campaign that has ended is looked at for so long: what was in flight settles afterwards."""
_OVERLAP = timedelta(seconds=10)
"""An end is dated before it is committed: what the last look could not see yet is seen now."""


def find_drift(*, campaign_id: int | None = None) -> list[Drift]:
    """Return every number that the ledger contradicts; of one campaign, or of all.

    Empty where all is exact. Reads the whole ledger of what it audits: about a second for a
    million devices.
    """
    return _compare(_COUNT_EACH_DEVICE, None if campaign_id is None else [campaign_id])


def audit_lately(*, now: datetime) -> list[Drift]:
    """Audit what has changed lately, and note what was found for the metrics.

    A campaign that ended since the last look is recounted device by device, once; so is one that
    had drifted, until it is exact again. One that is being sent, or ended within the last hour,
    is recounted by its batches' own counts: some milliseconds for a million devices.
    """
    last = AuditRun.objects.filter(pk=1).first() or AuditRun(ran_at=now - LATELY)
    ended = PushCampaign.objects.filter(completed_at__gt=last.ran_at - _OVERLAP)
    whole = {*map(int, last.drift), *ended.values_list("pk", flat=True)}
    running = Q(status__in=[CampaignStatus.PROCESSING, CampaignStatus.PAUSED])
    recent = PushCampaign.objects.filter(running | Q(completed_at__gt=now - LATELY))
    by_batch = set(recent.values_list("pk", flat=True)) - whole
    found = _compare(_COUNT_EACH_BATCH, sorted(by_batch)) if by_batch else []
    for campaign_id in sorted(whole):
        found += find_drift(campaign_id=campaign_id)
    for drift in found:
        logger.error("Campaign %s: %s is %s, the ledger says %s.", *drift)
    AuditRun.objects.update_or_create(pk=1, defaults={"ran_at": now, "drift": _devices(found)})
    return found


def show_last_audit() -> None:
    """Set the metrics of accounting to what the last regular audit found.

    They are read where they are shown, as no worker's memory reaches every web server.
    """
    run = AuditRun.objects.filter(pk=1).first()
    if run is not None:
        ACCOUNT_DRIFT.set(sum(run.drift.values()))
        ACCOUNT_AUDITED.set(run.ran_at.timestamp())


def _devices(found: Sequence[Drift]) -> dict[str, int]:
    """Return by how many devices each campaign drifts: one wrong device is wrong in many sums."""
    devices: dict[str, int] = {}
    for drift in found:
        key = str(drift.campaign_id)
        devices[key] = max(devices.get(key, 0), abs(drift.recorded - drift.recounted))
    return devices


def _compare(recount: str, campaign_ids: Sequence[int] | None) -> list[Drift]:
    ids = None if campaign_ids is None else list(campaign_ids)
    with connection.cursor() as cursor:
        cursor.execute(recount + _COMPARE, _OUTCOMES | {"ids": ids})
        return [
            Drift(found, what, int(recorded), int(recounted))
            for found, what, recorded, recounted in cursor.fetchall()
        ]
