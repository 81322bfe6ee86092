"""What a campaign would come to if it were launched now: whom it reaches, and how long it takes.

Counting is exact where it takes no more than a moment. A larger audience is counted in ranges of
ids that lie evenly over all devices, always the same ones, and the rest is in proportion.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import redis
from django.db import OperationalError, connection, transaction
from django.db.models import Count, Q, QuerySet
from psycopg2.errors import QueryCanceled

from campaigns import engine
from campaigns.audiences import audience_of
from campaigns.models import PushCampaign
from devices.audience import Audience, newest_device_id
from devices.models import DeviceToken, FcmProject
from devices.segments.compiling import IdRange
from pushcore.messages import Platform, Priority

STALE_AFTER: Final = timedelta(days=30)
"""FCM's documentation calls an address stale that has not been seen for so long."""
COUNT_FOR_MS: Final = 500
RANGES: Final = 40
RANGE: Final = 10_000


@dataclass(frozen=True)
class ProjectEstimate:
    """What one FCM project would have to send."""

    project_id: str
    devices: int
    quota_per_minute: int
    messages_per_second: float | None
    """What the campaign's priority may use of the quota now, if it is alone; None: no limit."""
    blocked_for_s: float
    """Until when the provider refuses the project for want of quota; 0 where it does not."""
    seconds: float | None
    """None where nothing but the machines sets the pace."""


@dataclass(frozen=True)
class Estimate:
    """What a campaign would come to."""

    total: int
    platforms: dict[str, int]
    """By platform, each of them there."""
    stale: int
    """Devices that have not been seen for `STALE_AFTER`."""
    stale_share: float
    is_exact: bool
    seconds_to_finish: float | None
    """By quota and the campaign's own pace; None where there is neither."""
    projects: list[ProjectEstimate]


class _Group(NamedTuple):
    project: int
    platform: str
    devices: int
    stale: int


def estimate_of(campaign: PushCampaign, *, now: datetime) -> Estimate:
    """Return what the campaign would come to, launched at `now`.

    Raises:
        FieldsRefused: a segment or list that it names is not ready yet.
    """
    audience = audience_of(campaign, now=now)
    seen_before = now - STALE_AFTER
    counted = _counted(audience.devices(), seen_before=seen_before)
    is_exact = counted is not None
    groups = counted if counted is not None else _in_proportion(audience, seen_before=seen_before)
    total = sum(group.devices for group in groups)
    stale = sum(group.stale for group in groups)
    projects = _projects(groups, Priority(campaign.priority))
    return Estimate(
        total=total,
        platforms={
            one.value: sum(group.devices for group in groups if group.platform == one)
            for one in Platform
        },
        stale=stale,
        stale_share=round(stale / total, 4) if total else 0.0,
        is_exact=is_exact,
        seconds_to_finish=_seconds(projects, total, campaign.rate_limit_per_second),
        projects=projects,
    )


def _grouped(devices: QuerySet[DeviceToken], *, seen_before: datetime) -> list[_Group]:
    rows = (
        devices.order_by()
        .values_list("project", "platform")
        .annotate(devices=Count("pk"), stale=Count("pk", filter=Q(last_seen_at__lte=seen_before)))
    )
    return [_Group(*row) for row in rows]


# Several would be done a little sooner, and keep everybody else waiting for as long.
_ON_ONE_PROCESSOR: Final = """
SET LOCAL jit = off; SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL statement_timeout = %s
"""


def _counted(devices: QuerySet[DeviceToken], *, seen_before: datetime) -> list[_Group] | None:
    """Return the exact counts; None where that takes longer than `COUNT_FOR_MS`."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_ON_ONE_PROCESSOR, [COUNT_FOR_MS])
            groups = _grouped(devices, seen_before=seen_before)
            cursor.execute(
                "RESET statement_timeout; RESET max_parallel_workers_per_gather; RESET jit"
            )
            return groups
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            return None
        raise


def _in_proportion(audience: Audience, *, seen_before: datetime) -> list[_Group]:
    """Return what the ranges have, stretched to all ids."""
    newest = newest_device_id()
    step = max(newest // RANGES, RANGE)
    looked_at = 0
    found: dict[tuple[int, str], list[int]] = {}
    for after in range(0, newest, step):
        until = min(after + RANGE, newest)
        looked_at += until - after
        devices = audience.devices(within=IdRange(after, until))
        for group in _grouped(devices, seen_before=seen_before):
            sums = found.setdefault((group.project, group.platform), [0, 0])
            sums[0] += group.devices
            sums[1] += group.stale
    stretch = newest / max(looked_at, 1)
    return [
        _Group(project, platform, round(devices * stretch), round(stale * stretch))
        for (project, platform), (devices, stale) in sorted(found.items())
    ]


def _projects(groups: list[_Group], priority: Priority) -> list[ProjectEstimate]:
    devices: dict[int, int] = {}
    for group in groups:
        devices[group.project] = devices.get(group.project, 0) + group.devices
    projects = FcmProject.objects.filter(pk__in=devices).order_by("pk")
    return [_project(project, devices[project.pk], priority) for project in projects]


def _project(project: FcmProject, devices: int, priority: Priority) -> ProjectEstimate:
    pacer = engine.pacer_of(project)
    try:
        pace = pacer.state()
        factor, blocked_for_s = pace.factor, pace.blocked_for_s
    except redis.RedisError:  # nothing can be sent then; when it is back, as if nothing had been
        factor, blocked_for_s = 1.0, 0.0
    rate = pacer.rate_per_second(priority, factor=factor)
    return ProjectEstimate(
        project_id=project.project_id,
        devices=devices,
        quota_per_minute=project.quota_per_minute,
        messages_per_second=None if rate is None else round(rate, 1),
        blocked_for_s=round(blocked_for_s, 1),
        seconds=None if rate is None else round(blocked_for_s + devices / rate, 1),
    )


def _seconds(
    projects: list[ProjectEstimate], total: int, rate_limit_per_second: int | None
) -> float | None:
    """Return how long the slowest takes: projects send side by side, the campaign's pace is one."""
    all_seconds = [one.seconds for one in projects if one.seconds is not None]
    if rate_limit_per_second:
        all_seconds.append(round(total / rate_limit_per_second, 1))
    return max(all_seconds, default=None)
