"""Schedules, and the moments at which somebody looks at them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import AnonymousUser

from campaigns import transitions
from campaigns.models import PushCampaign
from campaigns.schedules import firing, services
from campaigns.schedules.models import Schedule
from campaigns.states import Move
from tests.cast import make_campaign


def at(text: str) -> datetime:
    """Return the moment of March 2026 that `day hour:minute[:second]` names, in UTC."""
    day, clock = text.split()
    return datetime.fromisoformat(f"2026-03-{int(day):02d}T{clock}").replace(tzinfo=UTC)


def make_schedule(*, now: str = "1 12:00", **fields: Any) -> Schedule:
    """Create a schedule that falls due daily at 9:00 UTC, unless told otherwise."""
    if "campaign_id" not in fields:
        fields["campaign_id"] = make_campaign().pk
    defaults = {"name": "Daily", "cron": "0 9 * * *", "timezone": "UTC"}
    return services.create_schedule(user=AnonymousUser(), now=at(now), **defaults | fields)


def runs_of(schedule: Schedule) -> list[tuple[str, str]]:
    """Return what became of each slot, in their order."""
    return [(f"{run.slot:%-d %H:%M}", run.outcome) for run in schedule.runs.order_by("slot").all()]


def next_of(schedule: Schedule) -> str | None:
    """Return the slot that the schedule turns to."""
    schedule.refresh_from_db()
    return f"{schedule.next_slot:%-d %H:%M}" if schedule.next_slot else None


def look(moment: str) -> int:
    """Look what is due then; return how many campaigns started."""
    return firing.fire_due_schedules(now=at(moment))


def sent_by(schedule: Schedule) -> list[PushCampaign]:
    """Return the campaigns that the schedule started, in the order of their slots."""
    return list(
        PushCampaign.objects.filter(schedule_run__schedule=schedule).order_by("schedule_run__slot")
    )


def end(campaign: PushCampaign) -> None:
    transitions.move_campaign(campaign_id=campaign.pk, move=Move.CANCEL)
