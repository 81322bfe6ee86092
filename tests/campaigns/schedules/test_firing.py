from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from campaigns import transitions
from campaigns.models import PushCampaign
from campaigns.schedules import firing, services, tasks
from campaigns.schedules.models import RunOutcome, Schedule, ScheduleRun
from campaigns.states import Move
from tests.campaigns.conftest import Broker, Published
from tests.campaigns.schedules.cast import at, make_schedule, next_of, runs_of
from tests.cast import make_campaign, make_devices, make_project
from tests.concurrency import run_at_once

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker")]


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


def test_a_run_is_a_campaign_of_its_own_that_says_what_was_copied(broker: Broker) -> None:
    make_devices(make_project(), 1, user_id="ann")
    original = make_campaign(
        title="Good morning",
        message="Coffee?",
        priority="high",
        target_all=False,
        target_user_ids=["ann"],
        data_payload={"sku": "1"},
    )
    schedule = make_schedule(campaign_id=original.pk)
    PushCampaign.objects.filter(pk=original.pk).update(message="Tea?")
    assert look("2 09:00") == 1
    [campaign] = sent_by(schedule)
    assert campaign.pk != original.pk
    assert (campaign.title, campaign.message, campaign.priority) == (
        "Good morning",
        "Coffee?",
        "high",
    )
    assert (campaign.target_user_ids, campaign.data_payload) == (["ann"], {"sku": "1"})
    assert (campaign.status, campaign.scheduled_at, campaign.started_at) == (
        "processing",
        at("2 09:00"),
        at("2 09:00"),
    )
    run = ScheduleRun.objects.get()
    assert (run.campaign, run.schedule, run.slot, run.reason) == (
        campaign,
        schedule,
        at("2 09:00"),
        "",
    )


@pytest.mark.django_db(transaction=True)
def test_a_run_is_published_when_its_row_is_safe(broker: Broker) -> None:
    make_devices(make_project(), 1)
    schedule = make_schedule()
    look("2 09:00")
    [campaign] = sent_by(schedule)
    assert broker.take_all("default") == [Published("execute_push_campaign", [campaign.pk])]


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


def test_what_is_overdue_past_the_cut_off_is_missed_and_says_so() -> None:
    schedule = make_schedule(max_lateness_s=3_600)
    assert look("2 10:00:01") == 0
    [run] = schedule.runs.all()
    assert (run.outcome, run.reason) == ("missed", "It was 3601 s late; up to 3600 s are allowed.")
    assert (PushCampaign.objects.count(), next_of(schedule)) == (1, "3 09:00")


def test_what_is_overdue_within_the_cut_off_is_sent() -> None:
    make_schedule(max_lateness_s=3_600)
    assert look("2 10:00:00") == 1


def test_of_several_that_are_overdue_the_last_alone_is_sent() -> None:
    schedule = make_schedule(cron="*/10 * * * *", now="2 08:55")
    assert look("2 09:35") == 1
    assert runs_of(schedule) == [
        ("2 09:00", "missed"),
        ("2 09:10", "missed"),
        ("2 09:20", "missed"),
        ("2 09:30", "started"),
    ]
    assert next_of(schedule) == "2 09:40"


def test_a_scheduler_that_was_away_for_long_catches_up_in_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(firing, "SLOTS_AT_ONCE", 3)
    schedule = make_schedule(cron="* * * * *", now="2 08:59:30")
    assert [look("2 09:06:30") for _ in range(3)] == [0, 0, 1]
    assert runs_of(schedule) == [
        *((f"2 09:0{minute}", "missed") for minute in range(6)),
        ("2 09:06", "started"),
    ]


def test_a_run_is_skipped_while_the_one_before_is_being_sent() -> None:
    schedule = make_schedule(overlap="skip")
    look("2 09:00")
    [first] = sent_by(schedule)
    assert look("3 09:00") == 0
    skipped = schedule.runs.latest("slot")
    assert (skipped.outcome, skipped.reason) == (
        "skipped",
        f"The run before has not ended: {first} is processing.",
    )
    end(first)
    assert look("3 09:01") == 0
    assert look("4 09:00") == 1


def test_a_queued_run_waits_for_the_one_before_and_says_so() -> None:
    schedule = make_schedule(overlap="queue", max_lateness_s=7_200)
    look("2 09:00")
    [first] = sent_by(schedule)
    assert [look("3 09:00"), look("3 09:30")] == [0, 0]
    schedule.refresh_from_db()
    assert schedule.waits_because == f"The run before has not ended: {first} is processing."
    assert runs_of(schedule) == [("2 09:00", "started")]
    end(first)
    assert look("3 09:31") == 1
    assert runs_of(schedule) == [("2 09:00", "started"), ("3 09:00", "started")]
    schedule.refresh_from_db()
    assert schedule.waits_because == ""


def test_a_queued_run_is_missed_when_it_has_waited_for_too_long() -> None:
    schedule = make_schedule(overlap="queue")
    look("2 09:00")
    [first] = sent_by(schedule)
    look("3 09:30")
    assert look("3 10:00:01") == 0
    run = schedule.runs.latest("slot")
    assert (run.outcome, run.reason) == (
        "missed",
        f"It was 3601 s late; up to 3600 s are allowed. It waited for {first}.",
    )


def test_of_several_queued_runs_the_last_alone_waits() -> None:
    schedule = make_schedule(overlap="queue", cron="0 * * * *", max_lateness_s=86_400)
    look("2 09:00")
    look("2 11:00")
    end(sent_by(schedule)[0])
    assert look("2 11:30") == 1
    assert runs_of(schedule)[-3:] == [
        ("2 09:00", "started"),
        ("2 10:00", "missed"),
        ("2 11:00", "started"),
    ]


def test_a_late_run_does_not_begin_outside_of_the_window() -> None:
    schedule = make_schedule(cron="0 20 * * *", window_opens=time(9), window_closes=time(21))
    assert look("1 21:00") == 0
    [run] = schedule.runs.all()
    assert (run.outcome, "window" in run.reason) == ("missed", True)


def test_it_ends_with_its_number_of_runs_and_those_that_were_not_sent_do_not_count() -> None:
    schedule = make_schedule(max_runs=2)
    assert look("2 12:00") == 0
    for day in (3, 4):
        assert look(f"{day} 09:00") == 1
        end(sent_by(schedule)[-1])
    assert (next_of(schedule), schedule.status, schedule.started_runs) == (None, "ended", 2)
    assert look("5 09:00") == 0
    assert [outcome for _, outcome in runs_of(schedule)] == ["missed", "started", "started"]


def test_it_ends_with_its_end() -> None:
    schedule = make_schedule(ends_at=at("3 09:00"))
    for day in (2, 3, 4):
        if look(f"{day} 09:00"):
            end(sent_by(schedule)[-1])
    assert runs_of(schedule) == [("2 09:00", "started"), ("3 09:00", "started")]
    schedule.refresh_from_db()
    assert schedule.status == "ended"


def test_a_paused_schedule_starts_nothing() -> None:
    schedule = make_schedule()
    services.pause_schedule(schedule_id=schedule.pk)
    assert look("2 09:00") == 0
    assert runs_of(schedule) == []


def test_a_campaign_that_could_not_be_sent_any_more_is_refused_with_the_reason() -> None:
    schedule = make_schedule()
    schedule.content["data_payload"] = {"from": "us"}
    schedule.save()
    assert look("2 09:00") == 0
    [run] = schedule.runs.all()
    assert run.outcome == "refused"
    assert run.reason.startswith("data_payload.from: ")
    assert (PushCampaign.objects.count(), next_of(schedule)) == (1, "3 09:00")


@pytest.mark.django_db(transaction=True)
def test_a_run_whose_writing_fails_leaves_nothing_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, broker: Broker
) -> None:
    schedule = make_schedule()

    def die(**_: object) -> None:
        raise ArithmeticError

    with monkeypatch.context() as patch:
        patch.setattr(firing, "start_campaign", die)
        assert look("2 09:00") == 0
    assert (runs_of(schedule), PushCampaign.objects.count()) == ([], 1)
    assert broker.take_all("default") == []
    assert look("2 09:00:02") == 1


def test_a_schedule_that_cannot_be_looked_at_does_not_keep_others_from_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken, sound = make_schedule(), make_schedule()
    Schedule.objects.filter(pk=broken.pk).update(timezone="Nowhere")
    assert look("2 09:00") == 1
    assert runs_of(sound) == [("2 09:00", "started")]
    assert f"Schedule {broken.pk} could not be looked at." in caplog.messages


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


def test_asking_what_is_due_costs_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(5):
        make_schedule()
    with django_assert_num_queries(1):
        look("2 08:00")


@pytest.mark.django_db(transaction=True)
def test_one_task_starts_all_that_is_due(broker: Broker) -> None:
    make_devices(make_project(), 1)
    schedule = make_schedule()
    single = make_campaign(priority="high", status="scheduled", scheduled_at=timezone.now())
    Schedule.objects.update(max_lateness_s=2**31 - 1)
    tasks.start_what_is_due()
    [campaign] = sent_by(schedule)
    assert broker.take_all("default") == [Published("execute_push_campaign", [campaign.pk])]
    assert broker.take_all("high_priority") == [Published("execute_push_campaign", [single.pk])]


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
