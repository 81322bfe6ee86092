"""A schedule falls due: what becomes of the slot is decided once, whoever looks and how often.

The schedule's row is locked while that is decided; the slot's row and its campaign are written in
the same transaction, and there can be one row for a slot. Slots follow from the schedule and not
from the clock, which only says which of them lie behind: set back, it delays and repeats nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Final
from uuid import uuid4
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from campaigns.drafts import create_campaign
from campaigns.errors import CampaignError
from campaigns.models import PushCampaign
from campaigns.schedules.missed import TOLD, tell_of_missed_runs
from campaigns.schedules.models import Overlap, RunOutcome, Schedule, ScheduleRun
from campaigns.schedules.recurrence import Recurrence
from campaigns.services import start_campaign, start_due_campaigns
from campaigns.states import ENDED
from campaigns.wall_time import wall_of

logger = logging.getLogger(__name__)

SLOTS_AT_ONCE: Final = 1_000
"""So many overdue slots are decided in one transaction; the others by the next look."""
_TICK: Final = timedelta(microseconds=1)


def start_what_is_due(*, now: datetime) -> None:
    """Start the campaigns whose moment has come, and those of the schedules that fell due."""
    start_due_campaigns(now=now)
    fire_due_schedules(now=now)


def fire_due_schedules(*, now: datetime) -> int:
    """Decide what becomes of every slot that lies behind; return how many campaigns started."""
    started = 0
    due = Schedule.objects.filter(is_paused=False, due_at__lte=now).order_by("due_at")
    for schedule_id in due.values_list("pk", flat=True):
        try:
            started += fire_schedule(schedule_id=schedule_id, now=now)
        except Exception:
            logger.exception("Schedule %s could not be looked at.", schedule_id)
    return started


def fire_schedule(*, schedule_id: int, now: datetime) -> bool:
    """Decide what becomes of the schedule's overdue slots; return whether a campaign started."""
    with transaction.atomic():
        schedule = (
            # Whoever has it decides the same.
            Schedule.objects.select_for_update(skip_locked=True)
            .filter(pk=schedule_id, is_paused=False, due_at__lte=now)
            .first()
        )
        return schedule is not None and _decide(schedule, now=now)


def _decide(schedule: Schedule, *, now: datetime) -> bool:
    recurrence = schedule.recurrence()
    assert schedule.next_slot is not None  # noqa: S101 - a constraint says so
    behind = takewhile(
        lambda slot: recurrence.begins_at(slot) <= now,
        recurrence.slots(after=schedule.next_slot - _TICK),
    )
    overdue = list(islice(behind, SLOTS_AT_ONCE + 1))
    # Of several that are overdue the last alone is sent: nobody wants the same message ten times.
    earlier, slot = overdue[:-1], overdue[-1]
    _write_missed(schedule, earlier, now=now)
    if len(overdue) > SLOTS_AT_ONCE:  # perhaps not the last
        _wait(schedule, slot, reason="")
        outcome = None
    else:
        outcome = _decide_last(schedule, slot, now=now)
    if earlier or outcome in TOLD:
        tell_of_missed_runs(schedule, now=now)
    return outcome is RunOutcome.STARTED


def _decide_last(schedule: Schedule, slot: datetime, *, now: datetime) -> RunOutcome | None:
    """Return what became of the slot; None: it waits, or was decided before."""
    outcome, reason = _obstacle(schedule, slot, now=now)
    if outcome is None and reason:
        _wait(schedule, slot, reason=reason)
        return None
    if schedule.runs.filter(slot=slot).exists():  # decided before the schedule was changed
        _go_on(schedule, after=slot, started=False)
        return None
    if outcome is None:
        outcome, reason = _start(schedule, slot, now=now)
    started = outcome is RunOutcome.STARTED
    if not started:
        _write(schedule, [slot], outcome, reason, now=now)
        logger.warning("%s at %s: %s: %s", schedule, slot, outcome, reason)
    _go_on(schedule, after=slot, started=started)
    return outcome


def _obstacle(
    schedule: Schedule, slot: datetime, *, now: datetime
) -> tuple[RunOutcome | None, str]:
    """Return what keeps the slot's run from beginning; no outcome with a reason: it waits."""
    recurrence = schedule.recurrence()
    late_s = (now - recurrence.begins_at(slot)).total_seconds()
    unended = _unended_campaign(schedule, recurrence, now=now)
    if late_s > schedule.max_lateness_s:
        waited = f" It waited for {unended}." if schedule.waits_because and unended else ""
        return RunOutcome.MISSED, _too_late(late_s, schedule.max_lateness_s) + waited
    clock = wall_of(now, ZoneInfo(schedule.timezone)).time()
    window = recurrence.window
    if window is not None and not recurrence.begins_early and not window.holds(clock):
        return RunOutcome.MISSED, f"It was {late_s:.0f} s late, and the window closed meanwhile."
    if unended is None:
        return None, ""
    words = f"The run before has not ended: {unended} is {unended.status}."
    return (RunOutcome.SKIPPED if schedule.overlap == Overlap.SKIP else None), words


def _too_late(late_s: float, allowed_s: int) -> str:
    return f"It was {late_s:.0f} s late; up to {allowed_s} s are allowed."


def _unended_campaign(
    schedule: Schedule, recurrence: Recurrence, *, now: datetime
) -> PushCampaign | None:
    """Return a campaign of an earlier run that should have ended, for all that it waits for."""
    runs = schedule.runs.exclude(campaign=None).exclude(campaign__status__in=ENDED)
    for run in runs.select_related("campaign").defer("campaign__target_user_ids").order_by("slot"):
        if recurrence.last_begins_at(run.slot) <= now:
            return run.campaign
    return None


def _start(schedule: Schedule, slot: datetime, *, now: datetime) -> tuple[RunOutcome, str]:
    """Create the slot's campaign and start it; nothing is left of one that is refused."""
    try:
        with transaction.atomic():
            campaign = create_campaign(
                user=schedule.created_by or AnonymousUser(),
                now=now,
                **schedule.content | {"timezone": schedule.timezone},
                scheduled_at=slot,
            )
            start_campaign(campaign_id=campaign.pk, task_id=uuid4(), now=now)
            _write(schedule, [slot], RunOutcome.STARTED, "", now=now, campaign=campaign)
            # Else what the content refers to and is gone would be noticed by the commit only.
            connection.check_constraints()
    except (CampaignError, IntegrityError) as refusal:
        return RunOutcome.REFUSED, str(refusal).strip()
    return RunOutcome.STARTED, ""


def _write_missed(schedule: Schedule, slots: Sequence[datetime], *, now: datetime) -> None:
    if slots:
        words = "A later run was due as well when somebody looked again."
        _write(schedule, slots, RunOutcome.MISSED, words, now=now)
        logger.warning("%s: %s runs since %s are missed.", schedule, len(slots), slots[0])


def _write(
    schedule: Schedule,
    slots: Sequence[datetime],
    outcome: RunOutcome,
    reason: str,
    *,
    now: datetime,
    campaign: PushCampaign | None = None,
) -> None:
    ScheduleRun.objects.bulk_create(
        [
            ScheduleRun(
                schedule=schedule,
                slot=slot,
                outcome=outcome,
                reason=reason,
                campaign=campaign,
                decided_at=now,
            )
            for slot in slots
        ],
        ignore_conflicts=campaign is None,
    )


def _wait(schedule: Schedule, slot: datetime, *, reason: str) -> None:
    """Look at this slot again the next time."""
    Schedule.objects.filter(pk=schedule.pk).update(
        next_slot=slot, due_at=schedule.recurrence().begins_at(slot), waits_because=reason
    )


def _go_on(schedule: Schedule, *, after: datetime, started: bool) -> None:
    """Turn to the slot after this one, if it is to have a run."""
    recurrence = schedule.recurrence()
    count = schedule.started_runs + started
    slot = next(recurrence.slots(after=after), None)
    if schedule.max_runs is not None and count >= schedule.max_runs:
        slot = None
    Schedule.objects.filter(pk=schedule.pk).update(
        next_slot=slot,
        due_at=None if slot is None else recurrence.begins_at(slot),
        waits_because="",
        started_runs=F("started_runs") + int(started),
    )
