"""What is asked of campaigns and their ledger, without changing anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet

from campaigns.models import PushCampaign
from campaigns.states import CampaignStatus

STATS_FIELDS: Final = (
    *("title", "status", "status_reason", "started_at", "completed_at", "local_time"),
    *("total_recipients", "sent_count", "success_count", "failure_count", "invalid_count"),
    *("unknown_count", "skipped_count", "rate_limit_per_second"),
)
"""All that an account is made of: a message and its audience can be long."""
RATE_WINDOW_S = 10
"""The current rate is what settled within so many seconds: at most some hundred batches. A
campaign with a slow pace of its own is looked at for as long as two of its batches last."""


@dataclass(frozen=True)
class ProjectStats:
    """How a campaign stands with one of its FCM projects."""

    project_id: str
    """Google's id of the project."""
    halt_reason: str
    """Why the project refuses us, in its words; empty while it does not."""


@dataclass(frozen=True)
class Stats:
    """How far a campaign is. `total_recipients` = sent + skipped + remaining, always."""

    status: str
    status_reason: str
    total_recipients: int
    sent: int
    success: int
    failure: int
    invalid: int
    unknown: int
    skipped: int
    remaining: int
    progress: float
    """The settled share of what is planned, 0…1; 1 for an empty audience that is completed."""
    rate_per_second: float
    """Messages a second: over the last seconds while it runs, over all of it afterwards."""
    eta_seconds: float | None
    """None where it can't be told: not running, standing still, or waiting for local times."""
    started_at: datetime | None
    completed_at: datetime | None
    projects: list[ProjectStats]
    """The FCM projects that the campaign goes through, in the order of their setting up."""


def stats_of(campaign: PushCampaign, *, now: datetime) -> Stats:
    """Return the campaign's account; its cost does not depend on the audience."""
    [stats] = stats_of_each([campaign], now=now)
    return stats


def stats_of_each(campaigns: Sequence[PushCampaign], *, now: datetime) -> list[Stats]:
    """Return the account of each, in their order, with one query for all of them."""
    lanes = _lanes(campaigns, now=now)
    return [_stats(campaign, lanes=lanes.get(campaign.pk, []), now=now) for campaign in campaigns]


def find_stats(*, campaign_id: int, now: datetime) -> tuple[PushCampaign, Stats]:
    """Return the campaign, with what `STATS_FIELDS` name, and its account, by one query.

    Raises:
        PushCampaign.DoesNotExist: there is no such campaign.
    """
    with connection.cursor() as cursor:
        two_batches = 2.0 * settings.BATCH_SIZE
        cursor.execute(_CAMPAIGN_AND_LANES, (now, two_batches, campaign_id))
        rows = cursor.fetchall()
    if not rows:
        message = f"There is no campaign {campaign_id}."
        raise PushCampaign.DoesNotExist(message)
    width = len(_COLUMNS)
    campaign = PushCampaign.from_db(connection.alias, _COLUMNS, rows[0][:width])
    lanes = [_lane(*row[width:]) for row in rows if row[width] is not None]
    return campaign, _stats(campaign, lanes=lanes, now=now)


class _LaneStats(NamedTuple):
    """How a campaign's lane stands."""

    project: ProjectStats
    is_planned: bool
    sent_lately: int
    """What was sent in batches that settled within the campaign's window."""


def _lane(project_id: str, halt_reason: str, is_planned: bool, sent_lately: int) -> _LaneStats:
    return _LaneStats(ProjectStats(project_id, halt_reason), is_planned, sent_lately)


# By hand, as everybody who watches a campaign asks it once a second.
_LANE = """
       project.project_id, lane.halt_reason, lane.planned_at IS NOT NULL, (
        SELECT coalesce(sum(success_count + failure_count + unknown_count), 0)
          FROM campaigns_deliverybatch AS batch
         WHERE batch.campaign_id = lane.campaign_id AND batch.project_id = lane.project_id
           AND batch.settled_at > asked.since)
"""
_COLUMNS: Final = [
    field.attname
    for field in PushCampaign._meta.concrete_fields
    if field.primary_key or field.attname in STATS_FIELDS
]
"""In the order of the model, as `from_db` takes them."""
_CAMPAIGN_AND_LANES: Final = f"""
SELECT {", ".join(f"campaign.{column}" for column in _COLUMNS)}, {_LANE}
  FROM campaigns_pushcampaign AS campaign
 CROSS JOIN LATERAL (SELECT %s - make_interval(secs => greatest(
         {RATE_WINDOW_S}, %s / nullif(campaign.rate_limit_per_second, 0)
       )) AS since) AS asked
  LEFT JOIN campaigns_lane AS lane ON lane.campaign_id = campaign.id
  LEFT JOIN devices_fcmproject AS project ON project.id = lane.project_id
 WHERE campaign.id = %s
 ORDER BY lane.id
"""  # noqa: S608 - put together from constants
_LANES: Final = f"""
SELECT lane.campaign_id, {_LANE}
  FROM unnest(%s::bigint[], %s::timestamptz[]) AS asked (campaign_id, since)
  JOIN campaigns_lane AS lane ON lane.campaign_id = asked.campaign_id
  JOIN devices_fcmproject AS project ON project.id = lane.project_id
 ORDER BY lane.id
"""  # noqa: S608 - as above


def _lanes(campaigns: Sequence[PushCampaign], *, now: datetime) -> dict[int, list[_LaneStats]]:
    since = [now - timedelta(seconds=_window_s(campaign)) for campaign in campaigns]
    lanes: dict[int, list[_LaneStats]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_LANES, [[campaign.pk for campaign in campaigns], since])
        for campaign_id, *lane in cursor:
            lanes.setdefault(campaign_id, []).append(_lane(*lane))
    return lanes


def _stats(campaign: PushCampaign, *, lanes: Sequence[_LaneStats], now: datetime) -> Stats:
    rate = _rate(campaign, sum(lane.sent_lately for lane in lanes), now=now)
    is_planned = all(lane.is_planned for lane in lanes)
    standing = campaign.status != CampaignStatus.PROCESSING or rate <= 0 or campaign.local_time
    return Stats(
        status=campaign.status,
        status_reason=campaign.status_reason,
        total_recipients=campaign.total_recipients,
        sent=campaign.sent_count,
        success=campaign.success_count,
        failure=campaign.failure_count,
        invalid=campaign.invalid_count,
        unknown=campaign.unknown_count,
        skipped=campaign.skipped_count,
        remaining=campaign.remaining_count,
        progress=_progress(campaign),
        rate_per_second=round(rate, 1),
        eta_seconds=(
            round(campaign.remaining_count / rate, 1) if is_planned and not standing else None
        ),
        started_at=campaign.started_at,
        completed_at=campaign.completed_at,
        projects=[lane.project for lane in lanes],
    )


def active_campaigns() -> QuerySet[PushCampaign]:
    """Return the campaigns that are being sent or paused, the newest first."""
    running = PushCampaign.objects.filter(
        status__in=[CampaignStatus.PROCESSING, CampaignStatus.PAUSED]
    )
    return running.only(*STATS_FIELDS).order_by("-started_at")


def _progress(campaign: PushCampaign) -> float:
    if campaign.total_recipients:
        settled: int = campaign.sent_count + campaign.skipped_count
        total: int = campaign.total_recipients
        return round(settled / total, 4)
    return 1.0 if campaign.status == CampaignStatus.COMPLETED else 0.0


def _rate(campaign: PushCampaign, settled_lately: int, *, now: datetime) -> float:
    if campaign.started_at is None:
        return 0.0
    if campaign.completed_at is not None:
        seconds = (campaign.completed_at - campaign.started_at).total_seconds()
        total: int = campaign.sent_count
        return total / max(seconds, 0.001)
    running_s = (now - campaign.started_at).total_seconds()
    window_s = _window_s(campaign)
    if running_s < window_s:
        # All that was sent counts, also of batches that are given back with a rest.
        so_far: int = campaign.sent_count
        return so_far / max(running_s, 1.0)
    return settled_lately / window_s


def _window_s(campaign: PushCampaign) -> float:
    pace: int | None = campaign.rate_limit_per_second
    batches_s = 2 * settings.BATCH_SIZE / pace if pace else 0.0
    return float(max(RATE_WINDOW_S, batches_s))
