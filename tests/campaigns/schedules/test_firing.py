from __future__ import annotations

from datetime import time

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from campaigns.models import PushCampaign
from campaigns.schedules import firing, services, tasks
from campaigns.schedules.models import Schedule, ScheduleRun
from devices.segments.models import Segment
from tests.campaigns.conftest import Broker, Published
from tests.campaigns.schedules.cast import (
    at,
    end,
    look,
    make_schedule,
    next_of,
    runs_of,
    sent_by,
)
from tests.cast import make_campaign, make_devices, make_project

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker")]


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


def test_a_run_whose_segment_is_gone_is_refused_with_the_reason() -> None:
    segment = Segment.objects.create(name="All", kind="dynamic", rules={"all": []})
    campaign = make_campaign(target_all=False, segment=segment)
    schedule = make_schedule(campaign_id=campaign.pk)
    campaign.delete()
    segment.delete()
    assert look("2 09:00") == 0
    [run] = schedule.runs.all()
    assert (run.outcome, run.reason) == ("refused", "segment: There is no such segment.")
    assert PushCampaign.objects.count() == 0
