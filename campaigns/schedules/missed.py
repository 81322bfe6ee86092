"""People are told of runs that were not begun, once in a while and not of each."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, Max, Min

from campaigns.notifications import outbox
from campaigns.notifications.models import Event
from campaigns.schedules.models import RunOutcome, Schedule

TOLD: Final = frozenset({RunOutcome.MISSED, RunOutcome.REFUSED})
"""What is skipped, the overlap rule asked for."""
_QUIET: Final = timedelta(hours=12)
"""A schedule that fails each minute would else write a mail each minute; one by the day tells of
each day. What was kept quiet is counted in the next notice."""


def tell_of_missed_runs(schedule: Schedule, *, now: datetime) -> None:
    """Write a notice of the runs missed since the last one, unless that was lately.

    Lately does not count where a run has begun meanwhile: what is missed then is news. To be called
    when a run was just decided to be missed, in that transaction.
    """
    last = schedule.notices.filter(event=Event.SCHEDULE_MISSED).order_by("-occurred_at").first()
    if last is None:
        missed = schedule.runs.filter(outcome__in=TOLD, decided_at=now)
    else:
        since = schedule.runs.filter(decided_at__gt=last.occurred_at)
        missed = since.filter(outcome__in=TOLD)
        is_news = since.filter(outcome=RunOutcome.STARTED).exists()
        if last.occurred_at > now - _QUIET and not is_news:
            return
    found = missed.aggregate(count=Count("pk"), first=Min("slot"), last=Max("slot"))
    if not found["count"]:
        return
    reason = missed.order_by("-slot").values_list("reason", flat=True)[0]
    account = _account_of(schedule, found, reason)
    outbox.record_missed_runs(schedule_id=schedule.pk, account=account, now=now)


def _account_of(schedule: Schedule, found: dict[str, Any], reason: str) -> dict[str, Any]:
    due = Schedule.objects.values_list("due_at", flat=True).get(pk=schedule.pk)
    return {
        "schedule_id": schedule.pk,
        "title": schedule.name,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "status_reason": reason,
        "missed_runs": found["count"],
        "first_slot": outbox.stamp_of(found["first"]),
        "last_slot": outbox.stamp_of(found["last"]),
        "next_run_at": outbox.stamp_of(due),
    }
