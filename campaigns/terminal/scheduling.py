"""Campaigns that come again: what `manage.py schedules` does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from django_typer.completers.model import ModelObjectCompleter
from django_typer.management import Context
from typer import Argument, Option

from campaigns.schedules import services
from campaigns.schedules.api.serializers import (
    ScheduleDetailSerializer,
    SchedulePreviewSerializer,
    ScheduleRunSerializer,
    ScheduleSummarySerializer,
    UpcomingRunSerializer,
)
from campaigns.schedules.api.views import for_service
from campaigns.schedules.models import Overlap, Schedule, ScheduleRun
from campaigns.terminal.arguments import answering
from devices.terminal import AsJson, Yes, ask, find, say_facts, say_json, say_table
from devices.terminal_fields import checked, given

ScheduleId = Annotated[
    int,
    Argument(
        help="The schedule's id.",
        show_default=False,
        shell_complete=ModelObjectCompleter(Schedule, help_field="name", order_by="-pk"),
    ),
]
Cron = Annotated[str, Argument(help='Five fields, such as "30 9 * * 1-5".')]
Zone = Annotated[str, Option("--timezone", help="IANA's name, such as Europe/Berlin.")]
Moment = Annotated[str | None, Option(metavar="TIME", show_default=False)]
Clock = Annotated[str | None, Option(metavar="HH:MM", show_default=False)]
Runs = Annotated[int | None, Option(help="End after so many.", show_default=False)]


@answering
def create(
    context: Context,
    campaign: Annotated[int, Argument(help="Id of the campaign to copy what is sent from.")],
    cron: Cron,
    *,
    name: Annotated[str | None, Option(help="Default: the cron expression.")] = None,
    zone: Zone = "UTC",
    starts_at: Moment = None,
    ends_at: Moment = None,
    window_opens: Clock = None,
    window_closes: Clock = None,
    max_runs: Runs = None,
    overlap: Annotated[
        Overlap, Option(help="While the run before is not ended: leave out, or wait.")
    ] = Overlap.SKIP,
    max_lateness_s: Annotated[
        int, Option(help="What could not begin for longer is missed.")
    ] = 3600,
    json: AsJson = False,
) -> None:
    """Let a campaign come again, and show its next runs."""
    flags = given(
        {
            "campaign": campaign,
            "cron": cron,
            "name": name or cron,
            "timezone": zone,
            "starts_at": starts_at,
            "ends_at": ends_at,
            "window_opens": window_opens,
            "window_closes": window_closes,
            "max_runs": max_runs,
            "overlap": overlap.value,
            "max_lateness_s": max_lateness_s,
        }
    )
    fields = for_service(checked(ScheduleSummarySerializer(data=flags)))
    now = timezone.now()
    schedule = services.create_schedule(user=AnonymousUser(), now=now, **fields)
    _say_schedule(context, schedule, as_json=json)
    if not json:
        _say_upcoming(context, services.upcoming(schedule, now=now), as_json=False)


@answering
def preview(
    context: Context,
    cron: Cron,
    *,
    zone: Zone = "UTC",
    starts_at: Moment = None,
    ends_at: Moment = None,
    window_opens: Clock = None,
    window_closes: Clock = None,
    max_runs: Runs = None,
    json: AsJson = False,
) -> None:
    """List the next ten runs of a schedule that is not saved."""
    flags = given(
        {
            "cron": cron,
            "timezone": zone,
            "starts_at": starts_at,
            "ends_at": ends_at,
            "window_opens": window_opens,
            "window_closes": window_closes,
            "max_runs": max_runs,
        }
    )
    fields = for_service(checked(SchedulePreviewSerializer(data=flags)))
    _say_upcoming(context, services.preview(now=timezone.now(), **fields), as_json=json)


@answering
def show_list(context: Context, *, json: AsJson = False) -> None:
    """List the schedules, the newest first."""
    schedules = list(Schedule.objects.order_by("-pk").defer("content"))
    if json:
        say_json(context.django_command, ScheduleSummarySerializer(schedules, many=True).data)
        return
    columns = ["id", "status", "cron", "time zone", "next run", "runs", "name"]
    rows = [
        (str(one.pk), one.status, one.cron, one.timezone, one.due_at, one.started_runs, one.name)
        for one in schedules
    ]
    say_table(context.django_command, columns, rows)


@answering
def show(context: Context, schedule: ScheduleId, *, json: AsJson = False) -> None:
    """Show one, with what it sends."""
    _say_schedule(context, _found(schedule), as_json=json)


@answering
def upcoming(context: Context, schedule: ScheduleId, *, json: AsJson = False) -> None:
    """List its next ten runs."""
    runs = services.upcoming(_found(schedule), now=timezone.now())
    _say_upcoming(context, runs, as_json=json)


@answering
def runs(context: Context, schedule: ScheduleId, *, json: AsJson = False) -> None:
    """List what became of its last fifty slots, the latest first."""
    found = ScheduleRun.objects.filter(schedule=_found(schedule)).order_by("-slot")[:50]
    rows = [dict(row) for row in ScheduleRunSerializer(found, many=True).data]
    if json:
        say_json(context.django_command, rows)
    else:
        columns = ["slot", "outcome", "campaign", "reason"]
        say_table(context.django_command, columns, [[row[one] for one in columns] for row in rows])


@answering
def pause(context: Context, schedule: ScheduleId, *, json: AsJson = False) -> None:
    """Start no more campaigns for now; what has started is sent on."""
    _found(schedule)
    _say_schedule(context, services.pause_schedule(schedule_id=schedule), as_json=json)


@answering
def resume(context: Context, schedule: ScheduleId, *, json: AsJson = False) -> None:
    """Start campaigns again, from the next slot on."""
    _found(schedule)
    resumed = services.resume_schedule(schedule_id=schedule, now=timezone.now())
    _say_schedule(context, resumed, as_json=json)


@answering
def delete(context: Context, schedule: ScheduleId, *, yes: Yes = False) -> None:
    """Forget it and what became of its slots; its campaigns stay. It asks first."""
    name = _found(schedule).name
    if not yes:
        ask(f"Delete the schedule “{name}”?")
    services.delete_schedule(schedule_id=schedule)
    context.django_command.stdout.write(f"The schedule “{name}” is deleted.")


def _found(schedule_id: int) -> Schedule:
    return find(Schedule.objects.all(), f"schedule {schedule_id}", pk=schedule_id)


def _say_schedule(context: Context, schedule: Schedule, *, as_json: bool) -> None:
    shown: dict[str, Any] = dict(ScheduleDetailSerializer(schedule).data)
    if as_json:
        say_json(context.django_command, shown)
    else:
        say_facts(context.django_command, shown)


def _say_upcoming(context: Context, found: Sequence[services.Upcoming], *, as_json: bool) -> None:
    if as_json:
        say_json(context.django_command, UpcomingRunSerializer(found, many=True).data)
        return
    columns = ["begins", "on the schedule's clocks"]
    rows = [
        (f"{one.begins_at:%a %Y-%m-%d %H:%M}Z", f"{one.local:%a %Y-%m-%d %H:%M %Z}")
        for one in found
    ]
    say_table(context.django_command, columns, rows)
