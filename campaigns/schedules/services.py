"""What people and programs ask of schedules; API and command line call these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import transaction

from campaigns.drafts import refuse_unfit, written_fields
from campaigns.errors import FieldsRefused
from campaigns.models import PushCampaign
from campaigns.schedules.models import Schedule
from pushcore.validation import Problem

PREVIEWED: Final = 10
MIN_LATENESS_S: Final = 60
"""A busy machine looks this late now and then."""
_BESIDE_THE_PLAN: Final = frozenset({"name", "overlap", "max_lateness_s"})
"""What can be changed without turning to another slot."""


class Upcoming(NamedTuple):
    """A run to come."""

    slot: datetime
    """The moment of the cron expression, in UTC."""
    local: datetime
    """The same on the schedule's clocks."""
    begins_at: datetime
    """Earlier than the slot where devices get it on their own clocks: with the first of them."""


def create_schedule(
    *,
    user: AbstractBaseUser | AnonymousUser,
    campaign_id: int,
    now: datetime,
    **fields: Any,
) -> Schedule:
    """Let a campaign come again; what it says and whom it is for is copied now.

    Raises:
        FieldsRefused: it would never fall due, or what is copied could not be sent.
        PushCampaign.DoesNotExist: there is no such campaign.
    """
    with transaction.atomic():
        schedule = Schedule(created_by_id=user.pk, **fields)
        _copy(schedule, campaign_id, now=now)
        _plan(schedule, now=now)
        schedule.save(force_insert=True)
    schedule.refresh_from_db()
    return schedule


def change_schedule(
    *, schedule_id: int, now: datetime, campaign_id: int | None = None, **changes: Any
) -> Schedule:
    """Change some fields; with `campaign_id` what is sent is copied from there anew.

    What has been decided of slots stays. A run that is due and waits is given up, unless nothing
    changes in when the schedule falls due.

    Raises:
        FieldsRefused: as `create_schedule`.
        PushCampaign.DoesNotExist: there is no such campaign.
        Schedule.DoesNotExist: there is no such schedule.
    """
    with transaction.atomic():
        schedule = Schedule.objects.select_for_update().get(pk=schedule_id)
        for name, value in changes.items():
            setattr(schedule, name, value)
        if campaign_id is not None:
            _copy(schedule, campaign_id, now=now)
        if campaign_id is not None or changes.keys() - _BESIDE_THE_PLAN:
            _plan(schedule, now=now)
        elif problems := list(_problems_of_lateness(schedule)):
            raise FieldsRefused(problems)
        schedule.save()
    return schedule


def pause_schedule(*, schedule_id: int) -> Schedule:
    """Start no more campaigns for now; what has started is sent on.

    Raises:
        Schedule.DoesNotExist: there is no such schedule.
    """
    with transaction.atomic():
        schedule = Schedule.objects.select_for_update().get(pk=schedule_id)
        schedule.is_paused = True
        # Saved and not updated: the audit trail notes what is saved.
        schedule.save(update_fields=["is_paused"])
    return schedule


def resume_schedule(*, schedule_id: int, now: datetime) -> Schedule:
    """Start campaigns again, from the next slot on: what fell due meanwhile was no run.

    Raises:
        FieldsRefused: it would not fall due any more.
        Schedule.DoesNotExist: there is no such schedule.
    """
    with transaction.atomic():
        schedule = Schedule.objects.select_for_update().get(pk=schedule_id)
        if schedule.is_paused:
            schedule.is_paused = False
            _plan(schedule, now=now)
            schedule.save()
    return schedule


def delete_schedule(*, schedule_id: int) -> None:
    """Forget the schedule and what became of its slots; its campaigns stay.

    Raises:
        Schedule.DoesNotExist: there is no such schedule.
    """
    Schedule.objects.get(pk=schedule_id).delete()


def preview(*, now: datetime, campaign_id: int | None = None, **fields: Any) -> list[Upcoming]:
    """Return the next ten runs of a schedule that is not saved.

    Raises:
        FieldsRefused: as `create_schedule`.
        PushCampaign.DoesNotExist: there is no such campaign.
    """
    schedule = Schedule(content={}, **fields)
    if campaign_id is not None:
        _copy(schedule, campaign_id, now=now)
    _plan(schedule, now=now)
    return upcoming(schedule, now=now)


def upcoming(schedule: Schedule, *, now: datetime) -> list[Upcoming]:
    """Return the next ten runs of the schedule; none where it has ended."""
    if schedule.next_slot is None:
        return []
    recurrence, zone = schedule.recurrence(), ZoneInfo(schedule.timezone)
    count = PREVIEWED
    if schedule.max_runs is not None:
        count = min(count, schedule.max_runs - schedule.started_runs)
    return [
        Upcoming(slot, slot.astimezone(zone), recurrence.begins_at(slot))
        for slot in islice(recurrence.upcoming(now=now), count)
    ]


def _copy(schedule: Schedule, campaign_id: int, *, now: datetime) -> None:
    """Take over what the campaign says and whom it is for."""
    campaign = PushCampaign.objects.get(pk=campaign_id)
    refuse_unfit(campaign, now=now)
    if campaign.expires_at is not None:
        words = "It expires at one moment for all runs: use a campaign without `expires_at`."
        raise FieldsRefused([Problem("campaign", "conflict", words)])
    schedule.copied_from = campaign
    schedule.content = {
        field.attname: getattr(campaign, field.attname) for field in written_fields()
    }


def _plan(schedule: Schedule, *, now: datetime) -> None:
    """Turn to the first slot to come that nothing has become of yet.

    Raises:
        FieldsRefused: there is none, or what stands in the fields makes no sense.
    """
    recurrence = schedule.recurrence()
    problems = [
        *recurrence.problems(now=now),
        *_problems_of_limits(schedule),
        *_problems_of_lateness(schedule),
    ]
    if problems:
        raise FieldsRefused(problems)
    decided = None
    if schedule.pk is not None:
        decided = schedule.runs.order_by("-slot").values_list("slot", flat=True).first()
    schedule.next_slot = next(recurrence.upcoming(now=now, after=decided), None)
    schedule.due_at = schedule.next_slot and recurrence.begins_at(schedule.next_slot)
    schedule.waits_because = ""


def _problems_of_limits(schedule: Schedule) -> Iterator[Problem]:
    if (schedule.window_opens is None) != (schedule.window_closes is None):
        missing = "window_opens" if schedule.window_opens is None else "window_closes"
        yield Problem(missing, "required", "A window has both an opening and a closing time.")
    if schedule.max_runs is not None and schedule.max_runs <= schedule.started_runs:
        words = f"Must be more than the {schedule.started_runs} runs that it has had."
        yield Problem("max_runs", "range", words)


def _problems_of_lateness(schedule: Schedule) -> Iterator[Problem]:
    if schedule.max_lateness_s < MIN_LATENESS_S:
        words = f"Must be at least {MIN_LATENESS_S}: nobody looks on the second."
        yield Problem("max_lateness_s", "range", words)


def summary_of_content(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is sent without the user ids it names, which may be very many."""
    users = content.get("target_user_ids", [])
    rest = {name: value for name, value in content.items() if name != "target_user_ids"}
    return rest | {"target_user_count": len(users)}
