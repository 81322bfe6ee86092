"""What is to come: schedules that miss their runs, and API keys that end soon."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Max, Q

from campaigns.access.models import ApiKey
from campaigns.doctor.findings import Finding, ok, warning
from campaigns.schedules.missed import TOLD
from campaigns.schedules.models import Schedule, ScheduleRun

_SHOWN: Final = 5
_LATELY: Final = timedelta(days=1)
_ENDS_SOON: Final = timedelta(days=7)


def check_schedules(now: datetime) -> Sequence[Finding]:
    """Look for schedules whose last run was not begun, and say why."""
    missed = (
        Schedule.objects.filter(is_paused=False)
        .annotate(
            last=Max("runs__slot"),
            lost=Count(
                "runs", filter=Q(runs__outcome__in=TOLD, runs__decided_at__gt=now - _LATELY)
            ),
        )
        .filter(lost__gt=0)
        .order_by("pk")
    )
    found = []
    for schedule in missed:
        last = ScheduleRun.objects.get(schedule=schedule, slot=schedule.last)
        if last.outcome in TOLD:
            title = f"Runs of schedule “{schedule.name}” missed since yesterday: {schedule.lost:,}."
            advice = f"Mend the reason; manage.py schedules runs {schedule.pk} lists them."
            found.append(warning(f"{title} {last.reason}", advice))
    if not found:
        active = Schedule.objects.filter(is_paused=False, next_slot__isnull=False).count()
        return [ok(f"Schedules that will start campaigns: {active:,}; none misses its runs.")]
    return found[:_SHOWN]


def check_keys(now: datetime) -> Sequence[Finding]:
    """Look for API keys that are in use, end soon, and have no successor."""
    ending = ApiKey.objects.filter(
        expires_at__gt=now,
        expires_at__lte=now + _ENDS_SOON,
        last_used_at__gt=now - _ENDS_SOON,
        revoked_at=None,
        replaced_by=None,
    )
    found = [
        warning(
            f"API key “{key.name}” ({key.prefix}) is in use and ends"
            f" {key.expires_at:%Y-%m-%d %H:%M} UTC.",
            f"Run: manage.py apikey rotate {key.pk}; and give its program the new one.",
        )
        for key in ending.order_by("expires_at")[:_SHOWN]
    ]
    return found or [ok("No API key that is in use ends within a week.")]
