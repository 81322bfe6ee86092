"""Who is told of runs that were not begun, and how often."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from campaigns.models import PushCampaign
from campaigns.notifications.models import Delivery, Notice
from campaigns.schedules.models import Schedule
from tests.campaigns.notifications.stage import mail_channel
from tests.campaigns.schedules.cast import end, look, make_schedule, sent_by
from tests.cast import make_campaign, make_devices, make_project

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker")]


def told() -> list[dict[str, Any]]:
    return list(Notice.objects.order_by("pk").values_list("account", flat=True))


def figures() -> list[tuple[int, str, str]]:
    """Return of each notice how many runs are missed, and the first and the last of them."""
    return [(one["missed_runs"], one["first_slot"][8:16], one["last_slot"][8:16]) for one in told()]


def test_a_run_past_its_cut_off_is_told_with_when_the_next_one_is() -> None:
    channel = mail_channel()
    schedule = make_schedule(name="Daily sale", max_lateness_s=3_600)
    look("2 10:00:01")
    [notice] = Notice.objects.all()
    assert (notice.event, notice.schedule, notice.campaign) == ("schedule.missed", schedule, None)
    assert notice.account == {
        "schedule_id": schedule.pk,
        "title": "Daily sale",
        "cron": "0 9 * * *",
        "timezone": "UTC",
        "status_reason": "It was 3601 s late; up to 3600 s are allowed.",
        "missed_runs": 1,
        "first_slot": "2026-03-02T09:00:00Z",
        "last_slot": "2026-03-02T09:00:00Z",
        "next_run_at": "2026-03-03T09:00:00Z",
    }
    assert [one.channel for one in Delivery.objects.all()] == [channel]


def test_days_without_a_scheduler_are_told_in_one_notice() -> None:
    make_schedule(max_lateness_s=3_600)
    look("8 12:00")
    assert figures() == [(7, "02T09:00", "08T09:00")]


def test_what_is_missed_before_a_run_that_begins_is_told_too() -> None:
    make_devices(make_project(), 1)
    schedule = make_schedule()
    assert look("4 09:10") == 1
    assert figures() == [(2, "02T09:00", "03T09:00")]
    assert len(sent_by(schedule)) == 1


def test_a_run_that_cant_be_sent_any_more_is_told_with_the_reason() -> None:
    schedule = make_schedule()
    Schedule.objects.filter(pk=schedule.pk).update(content=schedule.content | {"target_all": False})
    look("2 09:00")
    [account] = told()
    assert "target" in account["status_reason"]
    assert account["missed_runs"] == 1


def test_a_schedule_that_fails_each_minute_is_told_now_and_then_and_nothing_is_left_out() -> None:
    schedule = make_schedule(cron="* * * * *", now="1 12:00")
    Schedule.objects.filter(pk=schedule.pk).update(content=schedule.content | {"target_all": False})
    for minute in range(1, 4):
        look(f"1 12:0{minute}")
    assert figures() == [(1, "01T12:01", "01T12:01")]
    look("2 00:01")  # twelve hours after the first
    assert figures()[1:] == [(720, "01T12:02", "02T00:01")]


def test_one_that_fails_again_after_a_run_is_news() -> None:
    make_devices(make_project(), 1)
    schedule = make_schedule(cron="0 * * * *", max_lateness_s=60)
    look("1 13:02")
    look("1 14:00")
    end(sent_by(schedule)[0])
    look("1 15:02")
    assert figures() == [(1, "01T13:00", "01T13:00"), (1, "01T15:00", "01T15:00")]


def test_what_the_overlap_rule_skips_is_no_news() -> None:
    make_devices(make_project(), 1)
    make_schedule()
    look("2 09:00")
    look("3 09:00")
    assert PushCampaign.objects.count() == 2
    assert told() == []


def test_what_is_missed_is_told_with_its_row_or_not_at_all() -> None:
    schedule = make_schedule()
    with transaction.atomic():
        look("3 12:00")
        transaction.set_rollback(True)
    assert (schedule.runs.count(), told()) == (0, [])


def test_only_channels_that_want_it_are_told() -> None:
    mail_channel(events=["campaign.missed"])
    wants = mail_channel("ops@example.com", events=["schedule.missed"])
    make_schedule(campaign_id=make_campaign().pk)
    look("2 12:00")
    assert [one.channel for one in Delivery.objects.all()] == [wants]
