from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from campaigns.models import PushCampaign
from campaigns.schedules import firing, services
from campaigns.schedules.models import RunOutcome, Schedule, ScheduleRun
from tests.campaigns.schedules.cast import (
    at,
    end,
    look,
    make_schedule,
    next_of,
    runs_of,
    sent_by,
)
from tests.cast import make_campaign
from tests.concurrency import run_at_once

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker")]


def test_it_falls_due_at_its_slot_not_before_and_once() -> None:
    schedule = make_schedule()
    assert [look("2 08:59:59"), look("2 09:00:01"), look("2 09:00:03")] == [0, 1, 0]
    assert runs_of(schedule) == [("2 09:00", "started")]
    assert next_of(schedule) == "3 09:00"


@pytest.mark.django_db(transaction=True)
def test_schedulers_at_once_start_one_campaign() -> None:
    schedule = make_schedule()
    started = run_at_once(8, lambda: look("2 09:00"))
    assert sum(started) == 1
    assert runs_of(schedule) == [("2 09:00", "started")]
    assert len(sent_by(schedule)) == 1
    schedule.refresh_from_db()
    assert schedule.started_runs == 1


@pytest.mark.django_db(transaction=True)
def test_schedulers_at_once_whose_clocks_differ_start_each_slot_once() -> None:
    schedule = make_schedule(cron="0 * * * *")
    moments = iter(["2 09:00", "2 09:00:02", "2 08:59:59", "2 09:00:30"] * 2)
    run_at_once(8, lambda: look(next(moments)))
    started = [slot for slot, outcome in runs_of(schedule) if outcome == "started"]
    assert started in (["2 09:00"], ["2 08:00", "2 09:00"], ["2 08:00"])
    assert len(sent_by(schedule)) == len(started)


def test_a_clock_that_is_set_back_repeats_nothing() -> None:
    schedule = make_schedule()
    for moment in ("2 09:00", "1 09:00", "2 08:59", "2 09:00", "2 09:00:05"):
        look(moment)
    assert runs_of(schedule) == [("2 09:00", "started")]


@pytest.mark.parametrize("change", ["pause and resume", "another minute and back"])
def test_a_slot_is_not_fired_again_by_a_change_under_a_clock_that_was_set_back(change: str) -> None:
    schedule = make_schedule()
    look("2 09:00")
    now = at("2 08:00")
    if change == "pause and resume":
        services.pause_schedule(schedule_id=schedule.pk)
        services.resume_schedule(schedule_id=schedule.pk, now=now)
    else:
        for cron in ("1 9 * * *", "0 9 * * *"):
            services.change_schedule(schedule_id=schedule.pk, now=now, cron=cron)
    assert next_of(schedule) == "3 09:00"
    look("2 09:00")
    assert runs_of(schedule) == [("2 09:00", "started")]


def test_a_slot_that_has_a_row_is_passed_by_whatever_the_schedule_says() -> None:
    schedule = make_schedule()
    look("2 09:00")
    Schedule.objects.update(next_slot=at("2 09:00"), due_at=at("2 09:00"))
    end(sent_by(schedule)[0])
    assert look("2 09:10") == 0
    assert (runs_of(schedule), next_of(schedule)) == ([("2 09:00", "started")], "3 09:00")


def test_the_database_takes_one_row_for_a_slot() -> None:
    schedule = make_schedule()
    look("2 09:00")
    with pytest.raises(IntegrityError, match="schedule_slot_once"), transaction.atomic():
        ScheduleRun.objects.create(
            schedule=schedule,
            slot=at("2 09:00"),
            outcome=RunOutcome.MISSED,
            decided_at=at("2 09:00"),
        )


@pytest.mark.parametrize(
    ("zone", "day", "slots"),
    [
        ("Europe/Berlin", 29, ["29 01:30", "30 00:30"]),
        ("America/New_York", 8, ["8 07:30", "9 06:30"]),
    ],
)
def test_a_time_that_clocks_leave_out_is_fired_once(zone: str, day: int, slots: list[str]) -> None:
    schedule = make_schedule(timezone=zone, cron="30 2 * * *", now=f"{day - 1} 12:00")
    for half_hour in range(72):
        firing.fire_due_schedules(now=at(f"{day} 00:00") + half_hour * timedelta(minutes=30))
        PushCampaign.objects.filter(status="processing").update(status="cancelled")
    assert runs_of(schedule) == [(slot, "started") for slot in slots]


def test_a_time_that_clocks_show_twice_is_fired_once() -> None:
    october = datetime(2026, 10, 24, 12, tzinfo=UTC)
    schedule = make_schedule(timezone="Europe/Berlin", cron="30 2 * * *")
    Schedule.objects.update(next_slot=october, due_at=october)
    for half_hour in range(1, 48):
        firing.fire_due_schedules(now=october + half_hour * timedelta(minutes=30))
        PushCampaign.objects.filter(status="processing").update(status="cancelled")
    [run] = schedule.runs.all()
    assert (run.slot, run.outcome) == (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "started")


def on_local_time() -> Schedule:
    """Create a schedule for 9:00 on the devices' clocks, named by Berlin's."""
    campaign = make_campaign(local_time=True)
    return make_schedule(campaign_id=campaign.pk, timezone="Europe/Berlin")


def test_a_run_for_the_devices_clocks_begins_with_the_first_on_earth_and_names_the_zone() -> None:
    schedule = on_local_time()
    assert (next_of(schedule), schedule.due_at) == ("2 08:00", at("1 19:00"))
    assert [look("1 18:59"), look("1 19:00")] == [0, 1]
    [campaign] = sent_by(schedule)
    assert (campaign.local_time, campaign.timezone, campaign.scheduled_at) == (
        True,
        "Europe/Berlin",
        at("2 08:00"),
    )


def test_daily_runs_for_the_devices_clocks_do_not_take_each_other_for_late() -> None:
    """The last clocks show Monday's time two hours after the first ones show Tuesday's."""
    schedule = on_local_time()
    assert [look("1 19:00"), look("2 19:00")] == [1, 1]
    assert look("3 19:00") == 0
    assert schedule.runs.latest("slot").outcome == "skipped"
