"""The plan: the audience becomes ledger rows, slice by slice, inside PostgreSQL.

One statement a slice reads the next devices in the order of their ids, groups them by 500 and
writes the batches: no device passes through Python, so memory and start-up do not depend on the
audience. The slice, the lane's progress and the campaign's total commit together, so a plan that
was interrupted goes on where it stopped, and no device is planned twice.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet

from campaigns import local_time, transitions
from campaigns.audiences import audience_of
from campaigns.models import Lane, PushCampaign
from devices.audience import newest_device_id, next_window
from devices.models import DeviceToken
from pushcore.messages import Platform

FIRST_SLICE_BATCHES = 20
"""Small, so that the first messages leave while the rest is being planned."""
SLICE_BATCHES = 400
"""At most; until then each slice has twice of what its lane has so far, so that of many lanes the
last one need not wait for much of the first before it goes on."""

_WRITE_SLICE = """
WITH audience AS ({audience} LIMIT %s),
numbered AS ({numbered}),
grouped AS (
    SELECT place, due_at, array_agg(id ORDER BY id) AS ids, {by_platform} AS by_platform
      FROM numbered GROUP BY due_at, place
),
written AS (
    INSERT INTO campaigns_deliverybatch
        (campaign_id, project_id, seq, retry_at, device_ids, by_platform)
    SELECT %s, %s, %s + row_number() OVER (ORDER BY due_at, place) - 1, due_at, ids, by_platform
      FROM grouped ORDER BY due_at, place
    RETURNING device_ids
)
SELECT count(*), coalesce(sum(cardinality(device_ids)), 0),
       max(device_ids[cardinality(device_ids)])
  FROM written
"""
_BY_PLATFORM = "jsonb_build_object({})".format(
    ", ".join(
        f"'{one}', jsonb_build_array(count(*) FILTER (WHERE platform = '{one}'), 0, 0, 0, 0, 0)"
        for one in Platform
    )
)
"""All of them are pending yet."""
_AT_ONCE = """
    SELECT id, platform, NULL::timestamptz AS due_at,
           (row_number() OVER (ORDER BY id) - 1) / %s AS place
      FROM audience
"""
_IN_LOCAL_TIME = """
    SELECT id, platform, due_at,
           (row_number() OVER (PARTITION BY due_at ORDER BY id) - 1) / %s AS place
      FROM (
        SELECT audience.id, audience.platform, coalesce(clock.due_at, %s) AS due_at
          FROM audience
          LEFT JOIN unnest(%s::text[], %s::timestamptz[]) AS clock (zone, due_at)
            ON clock.zone = audience.timezone
      ) AS timed
"""


class Slice(NamedTuple):
    """What one step of planning wrote."""

    batches: int
    devices: int
    is_last: bool


def open_lanes(*, campaign: PushCampaign, now: datetime) -> None:
    """Write a lane for each project in the audience, and fix where their plans end.

    A device that registers later has a higher id than `plan_until_id`, so a campaign's audience
    does not grow while it is being planned.
    """
    newest = newest_device_id()
    Lane.objects.bulk_create(
        [
            Lane(campaign=campaign, project_id=project_id, plan_until_id=newest, progressed_at=now)
            for project_id in audience_of(campaign, now=now).projects()
        ]
    )


def plan_next_slice(*, campaign: PushCampaign, lane_id: int, now: datetime) -> Slice | None:
    """Write the next slice of the lane's plan.

    Returns None where there is nothing to do: the plan is complete, or the campaign is no longer
    being sent.
    """
    with transaction.atomic():
        # Waits for who holds the lane, as that may be no planner but somebody who dispatches:
        # taken for one, the lane would be left half planned.
        lane = Lane.objects.select_for_update().filter(pk=lane_id, planned_at=None).first()
        if lane is None:
            return None
        limit = min(SLICE_BATCHES, 2 * lane.planned_batches or FIRST_SLICE_BATCHES)
        batches, devices, through_id = _write_slice(campaign, lane, limit=limit, now=now)
        is_last = through_id is None
        Lane.objects.filter(pk=lane_id).update(
            planned_through_id=lane.plan_until_id if through_id is None else through_id,
            planned_batches=lane.planned_batches + batches,
            planned_at=now if is_last else None,
            progressed_at=now,
        )
        if not transitions.add_planned(campaign_id=campaign.pk, devices=devices):
            transaction.set_rollback(True)
            return None
    return Slice(batches=batches, devices=devices, is_last=is_last)


def _write_slice(
    campaign: PushCampaign, lane: Lane, *, limit: int, now: datetime
) -> tuple[int, int, int | None]:
    """Return how many batches and devices were written, and through which id; None: all of it."""
    size: int = settings.BATCH_SIZE
    audience = audience_of(campaign, now=now)
    until_id = lane.plan_until_id
    end = audience.window_end(after_id=lane.planned_through_id, until_id=until_id)
    devices = audience.devices_of_project(
        lane.project_id, after_id=lane.planned_through_id, until_id=end
    )
    with connection.cursor() as cursor:
        cursor.execute(
            *_slice_statement(
                campaign,
                devices,
                limit=limit * size,
                batch=(size, campaign.pk, lane.project_id, lane.planned_batches),
            )
        )
        batches, count, last_id = cursor.fetchone()
    if count == limit * size:
        return batches, int(count), last_id
    if end == until_id:
        return batches, int(count), None
    return (
        batches,
        int(count),
        next_window(after_id=end, until_id=until_id, project_id=lane.project_id),
    )


def _slice_statement(
    campaign: PushCampaign,
    devices: QuerySet[DeviceToken],
    *,
    limit: int,
    batch: tuple[int, int, int, int],
) -> tuple[str, list[Any]]:
    """Return the statement that writes the devices, `limit` at most, and its parameters.

    `batch` is the size of one, and what the rows of all have in common: campaign, project, and
    the first `seq`.
    """
    size, *common = batch
    clocks: list[Any] = []
    columns, numbered = ["id", "platform"], _AT_ONCE
    if campaign.local_time:
        columns, numbered = [*columns, "timezone"], _IN_LOCAL_TIME
        moments = local_time.moments_of(campaign)
        clocks = [moments[""], list(moments), list(moments.values())]
    sql, params = devices.values(*columns).query.sql_with_params()
    statement = _WRITE_SLICE.format(audience=sql, numbered=numbered, by_platform=_BY_PLATFORM)
    return statement, [*params, limit, size, *clocks, *common]
