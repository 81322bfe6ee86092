from __future__ import annotations

from datetime import time
from typing import Any

import pytest
from django.contrib.auth.models import User

from campaigns.errors import FieldsRefused
from campaigns.models import PushCampaign
from campaigns.schedules import services
from campaigns.schedules.models import Schedule
from tests.campaigns.schedules.cast import at, make_schedule, next_of
from tests.cast import make_campaign

pytestmark = pytest.mark.django_db


def refusal(**fields: Any) -> dict[str, str]:
    """Create a schedule, see it refused with nothing saved, and return what is wrong."""
    with pytest.raises(FieldsRefused) as refused:
        make_schedule(**fields)
    assert Schedule.objects.count() == 0
    return {problem.field: problem.message for problem in refused.value.problems}


def test_a_schedule_turns_to_its_first_slot() -> None:
    user = User.objects.create_user("ann")
    campaign = make_campaign()
    schedule = services.create_schedule(
        user=user,
        now=at("1 12:00"),
        campaign_id=campaign.pk,
        name="Daily",
        cron="0 9 * * *",
        timezone="Europe/Berlin",
    )
    assert (schedule.created_by, schedule.copied_from, schedule.status) == (
        user,
        campaign,
        "active",
    )
    assert (schedule.next_slot, schedule.due_at) == (at("2 08:00"), at("2 08:00"))


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert set(refusal(cron="x", timezone="Nowhere", ends_at=at("1 11:00"))) == {
        "cron",
        "timezone",
        "ends_at",
    }


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"cron": "0 0 30 2 *"}, "cron"),
        ({"starts_at": at("5 00:00"), "ends_at": at("4 00:00")}, "ends_at"),
        ({"ends_at": at("2 08:00")}, "cron"),
        ({"window_opens": time(9)}, "window_closes"),
        ({"window_closes": time(9)}, "window_opens"),
        ({"max_runs": 0}, "max_runs"),
    ],
)
def test_what_would_never_fall_due_is_refused(fields: dict[str, Any], field: str) -> None:
    assert list(refusal(**fields)) == [field]


def test_a_campaign_that_could_not_be_sent_cannot_come_again() -> None:
    campaign = make_campaign(data_payload={"from": "us"})
    assert list(refusal(campaign_id=campaign.pk)) == ["data_payload.from"]


def test_a_campaign_that_expires_cannot_come_again() -> None:
    campaign = make_campaign(expires_at=at("9 00:00"))
    assert list(refusal(campaign_id=campaign.pk)) == ["campaign"]


def test_a_campaign_that_there_is_not_cannot_come_again() -> None:
    with pytest.raises(PushCampaign.DoesNotExist):
        make_schedule(campaign_id=0)


def test_another_hour_turns_to_another_slot() -> None:
    schedule = make_schedule()
    services.change_schedule(schedule_id=schedule.pk, now=at("1 12:00"), cron="30 12 * * *")
    assert next_of(schedule) == "1 12:30"


def test_a_change_that_is_refused_changes_nothing() -> None:
    schedule = make_schedule()
    before = Schedule.objects.values().get()
    with pytest.raises(FieldsRefused):
        services.change_schedule(
            schedule_id=schedule.pk, now=at("1 12:00"), name="Never", cron="0 0 30 2 *"
        )
    assert Schedule.objects.values().get() == before


def test_what_is_sent_changes_when_a_sender_copies_it_anew() -> None:
    campaign = make_campaign(message="Coffee?")
    schedule = make_schedule(campaign_id=campaign.pk)
    PushCampaign.objects.update(message="Tea?")
    schedule.refresh_from_db()
    assert schedule.content["message"] == "Coffee?"
    services.change_schedule(schedule_id=schedule.pk, now=at("1 12:00"), campaign_id=campaign.pk)
    schedule.refresh_from_db()
    assert schedule.content["message"] == "Tea?"


def test_what_fell_due_during_a_pause_is_no_run() -> None:
    schedule = make_schedule()
    assert services.pause_schedule(schedule_id=schedule.pk).status == "paused"
    resumed = services.resume_schedule(schedule_id=schedule.pk, now=at("5 09:00"))
    assert (resumed.status, next_of(schedule)) == ("active", "6 09:00")


def test_a_schedule_whose_end_has_come_during_its_pause_is_not_resumed() -> None:
    schedule = make_schedule(ends_at=at("4 00:00"))
    services.pause_schedule(schedule_id=schedule.pk)
    with pytest.raises(FieldsRefused):
        services.resume_schedule(schedule_id=schedule.pk, now=at("5 09:00"))
    schedule.refresh_from_db()
    assert schedule.is_paused


def test_an_ended_schedule_can_be_renamed_and_prolonged() -> None:
    schedule = make_schedule(max_runs=1)
    Schedule.objects.update(next_slot=None, due_at=None, started_runs=1)
    services.change_schedule(schedule_id=schedule.pk, now=at("5 12:00"), name="Done")
    assert next_of(schedule) is None
    with pytest.raises(FieldsRefused, match="max_runs"):
        services.change_schedule(schedule_id=schedule.pk, now=at("5 12:00"), max_runs=1)
    services.change_schedule(schedule_id=schedule.pk, now=at("5 12:00"), max_runs=2)
    assert next_of(schedule) == "6 09:00"


def test_the_next_ten_runs_can_be_seen_before_anything_is_saved() -> None:
    runs = services.preview(now=at("27 12:00"), name="", cron="0 9 * * *", timezone="Europe/Berlin")
    assert len(runs) == 10
    assert [run.local.isoformat() for run in runs[:3]] == [
        "2026-03-28T09:00:00+01:00",
        "2026-03-29T09:00:00+02:00",
        "2026-03-30T09:00:00+02:00",
    ]
    assert (runs[1].slot, runs[1].begins_at) == (at("29 07:00"), at("29 07:00"))
    assert Schedule.objects.count() == 0


def test_no_more_runs_are_foreseen_than_there_will_be() -> None:
    assert len(services.preview(now=at("1 12:00"), cron="0 9 * * *", max_runs=3)) == 3
    schedule = make_schedule(max_runs=4)
    Schedule.objects.update(started_runs=3)
    schedule.refresh_from_db()
    assert [run.slot for run in services.upcoming(schedule, now=at("1 12:00"))] == [at("2 09:00")]


def test_a_schedule_that_is_deleted_leaves_its_campaigns() -> None:
    schedule = make_schedule()
    services.delete_schedule(schedule_id=schedule.pk)
    assert (Schedule.objects.count(), PushCampaign.objects.count()) == (0, 1)
    with pytest.raises(Schedule.DoesNotExist):
        services.delete_schedule(schedule_id=schedule.pk)
