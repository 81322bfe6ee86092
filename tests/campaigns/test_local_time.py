"""Delivery on the devices' own clocks, from the moments of the zones to an account that adds up."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pytest_django import Settings

from campaigns import local_time, planner, rescue, services, transitions
from campaigns.errors import FieldsRefused
from campaigns.ledger import claim_pending_batch
from campaigns.models import DeliveryBatch, Lane, PushCampaign, RescueRun
from campaigns.notifications.standstill import has_work
from campaigns.queries import stats_of
from campaigns.states import Move
from devices.models import DeviceToken
from pushcore.outcomes import Outcome
from tests.campaigns.conftest import Broker
from tests.cast import (
    TASK_ID,
    account,
    make_campaign,
    make_devices,
    make_project,
    settle_all,
    status_of,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker")]
BERLIN, TOKYO, NEW_YORK = "Europe/Berlin", "Asia/Tokyo", "America/New_York"


def at(text: str) -> datetime:
    """Return the moment of 2026 that `month-day hour:minute` names, in UTC."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


def launched(
    when: str, *, scheduled: str | None = None, zone: str = BERLIN, **fields: object
) -> PushCampaign:
    """Return a campaign for local times, in memory, as it is once it was started."""
    return PushCampaign(
        local_time=True,
        timezone=zone,
        started_at=at(when),
        scheduled_at=at(scheduled) if scheduled else None,
        **fields,
    )


def devices_in(*zones: str) -> dict[str, list[int]]:
    """Create two devices in each zone, of one project, mixed; return their ids by zone."""
    project = make_project()
    found: dict[str, list[int]] = {zone: [] for zone in zones}
    for _ in range(2):
        for zone in zones:
            found[zone] += [device.pk for device in make_devices(project, 1, timezone=zone)]
    return found


def planned_at(when: str, *, scheduled: str | None = None) -> PushCampaign:
    """Return a campaign to everybody on Berlin's clocks, started and planned then."""
    campaign = make_campaign(
        local_time=True, timezone=BERLIN, scheduled_at=at(scheduled) if scheduled else None
    )
    lanes = started(campaign, when)
    for lane in lanes:
        while planner.plan_next_slice(campaign=campaign, lane_id=lane.pk, now=at(when)):
            pass
    return campaign


def started(campaign: PushCampaign, when: str) -> list[Lane]:
    """Start the campaign then, as a worker reads it afterwards; return its lanes, unplanned."""
    transitions.start(campaign_id=campaign.pk, task_id=TASK_ID, now=at(when))
    campaign.refresh_from_db()
    planner.open_lanes(campaign=campaign, now=at(when))
    return list(Lane.objects.filter(campaign=campaign))


def plan_of(campaign: PushCampaign) -> dict[str, list[int]]:
    """Return the devices by the moment (of UTC) at which they get it."""
    plan: dict[str, list[int]] = {}
    for batch in DeliveryBatch.objects.filter(campaign=campaign).order_by("seq"):
        assert batch.retry_at is not None
        plan.setdefault(f"{batch.retry_at:%m-%d %H:%M}", []).extend(batch.device_ids)
    return plan


def rescue_at(when: datetime) -> None:
    RescueRun.objects.update_or_create(pk=1, defaults={"ran_at": when})
    rescue.rescue_all(now=when)


def taken_by_workers(broker: Broker) -> list[int]:
    """Return the batches whose messages are in the queue."""
    return [one.args[0] for one in broker.take_all("default") if one.task == "send_push_batch"]


@pytest.mark.parametrize(
    ("scheduled", "zone", "expected"),
    [
        ("03-02 08:00", TOKYO, "03-02 00:00"),
        ("03-02 08:00", NEW_YORK, "03-02 14:00"),
        ("03-02 08:00", "Asia/Kathmandu", "03-02 03:15"),
        # The clocks of New York were set forward on 8 March, those of Berlin on the 29th.
        ("03-09 08:00", NEW_YORK, "03-09 13:00"),
        ("03-29 07:00", BERLIN, "03-29 07:00"),
        ("03-29 07:00", NEW_YORK, "03-29 13:00"),
        # 02:30 of 29 March is not shown in Berlin, and is as much later.
        ("03-29 01:30", BERLIN, "03-29 01:30"),
    ],
)
def test_each_zone_has_the_moment_at_which_its_clocks_show_the_time(
    scheduled: str, zone: str, expected: str
) -> None:
    campaign = launched("03-01 00:00", scheduled=scheduled)
    assert local_time.moments_of(campaign)[zone] == at(expected)


def test_a_time_that_a_zone_leaves_out_or_shows_twice_has_one_moment() -> None:
    spring = launched("03-27 00:00", scheduled="03-29 02:30", zone="UTC")
    assert local_time.moments_of(spring)[BERLIN] == at("03-29 01:30")
    autumn = launched("10-23 00:00", scheduled="10-25 02:30", zone="UTC")
    assert local_time.moments_of(autumn)[BERLIN] == at("10-25 00:30")


def test_who_names_no_zone_lives_in_the_campaigns() -> None:
    moments = local_time.moments_of(launched("03-01 00:00", scheduled="03-02 08:00"))
    assert moments[""] == moments[BERLIN] == at("03-02 08:00")


def test_a_time_that_has_passed_comes_the_next_day_unless_it_passed_within_the_hour() -> None:
    moments = local_time.moments_of(launched("03-02 11:00", zone="UTC"))
    assert moments["UTC"] == at("03-02 11:00")
    assert moments["Etc/GMT-1"] == at("03-02 11:00")  # 12:00 there, so it was 11:00 an hour ago
    assert moments["Etc/GMT-2"] == at("03-03 09:00")
    assert moments[TOKYO] == at("03-03 02:00")
    assert moments[NEW_YORK] == at("03-02 16:00")


def test_every_zone_gets_it_within_a_day_of_the_launch() -> None:
    campaign = launched("03-02 11:00")
    assert campaign.started_at is not None
    for moment in local_time.moments_of(campaign).values():
        assert timedelta(0) <= moment - campaign.started_at <= timedelta(hours=24)


def test_a_zone_that_there_is_not_is_refused() -> None:
    campaign = make_campaign(local_time=True, timezone="Nowhere")
    with pytest.raises(FieldsRefused, match="timezone"):
        services.schedule_campaign(
            campaign_id=campaign.pk, scheduled_at=at("03-02 08:00"), now=at("03-01 08:00")
        )


def test_a_batch_is_for_one_moment_and_nobody_is_left_out_or_planned_twice() -> None:
    zones = devices_in(TOKYO, BERLIN, "", NEW_YORK, "Europe/Paris")
    campaign = planned_at("03-01 19:00", scheduled="03-02 08:00")
    assert {moment: sorted(ids) for moment, ids in plan_of(campaign).items()} == {
        "03-02 00:00": zones[TOKYO],
        "03-02 08:00": sorted(zones[BERLIN] + zones[""] + zones["Europe/Paris"]),
        "03-02 14:00": zones[NEW_YORK],
    }
    assert account(campaign) == {"total_recipients": 10}
    seqs = DeliveryBatch.objects.order_by("retry_at").values_list("seq", flat=True)
    assert list(seqs) == [0, 1, 2]


def test_a_plan_of_many_slices_mixes_no_moments_and_keeps_ids_ascending(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BATCH_SIZE = 2
    monkeypatch.setattr(planner, "FIRST_SLICE_BATCHES", 2)
    monkeypatch.setattr(planner, "SLICE_BATCHES", 3)
    zones = devices_in(TOKYO, BERLIN, NEW_YORK, "Asia/Kathmandu", "Pacific/Apia", "UTC")
    campaign = planned_at("03-01 19:00", scheduled="03-02 08:00")
    counted: Counter[int] = Counter()
    for batch in DeliveryBatch.objects.all():
        assert batch.device_ids == sorted(batch.device_ids)
        names = DeviceToken.objects.filter(pk__in=batch.device_ids).values_list("timezone")
        assert batch.retry_at is not None
        walls = {batch.retry_at.astimezone(ZoneInfo(name)).hour for (name,) in names}
        assert walls == {9}
        counted.update(batch.device_ids)
    assert counted == Counter({pk: 1 for ids in zones.values() for pk in ids})
    assert account(campaign) == {"total_recipients": 12}
    assert not Lane.objects.filter(planned_at=None).exists()


def test_a_plan_that_goes_on_later_keeps_the_moments_of_its_launch(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BATCH_SIZE = 1
    monkeypatch.setattr(planner, "FIRST_SLICE_BATCHES", 1)
    devices_in(TOKYO)
    campaign = make_campaign(local_time=True, timezone=BERLIN, scheduled_at=at("03-02 08:00"))
    [lane] = started(campaign, "03-01 19:00")
    for when in ("03-01 19:00", "03-02 07:00", "03-02 07:01"):
        planner.plan_next_slice(campaign=campaign, lane_id=lane.pk, now=at(when))
    assert [len(ids) for ids in plan_of(campaign).values()] == [2]
    assert list(plan_of(campaign)) == ["03-02 00:00"]


def test_each_zone_is_sent_to_at_its_hour_and_the_account_adds_up_all_along(
    broker: Broker,
) -> None:
    devices_in(TOKYO, BERLIN, NEW_YORK)
    campaign = planned_at("03-01 19:00", scheduled="03-02 08:00")
    tokyo, berlin, new_york = DeliveryBatch.objects.order_by("retry_at")
    sent = 0
    for batch, moment in (
        (tokyo, "03-02 00:00"),
        (berlin, "03-02 08:00"),
        (new_york, "03-02 14:00"),
    ):
        just_before = at(moment) - timedelta(seconds=1)
        rescue_at(just_before)
        assert taken_by_workers(broker) == []
        rescue_at(at(moment))
        assert taken_by_workers(broker) == [batch.pk]
        settle_all(batch, Outcome.SUCCESS, now=at(moment))
        sent += 2
        rescue_at(at(moment) + timedelta(seconds=5))
        stats = stats_of(PushCampaign.objects.get(pk=campaign.pk), now=at(moment))
        assert (stats.sent, stats.remaining, stats.total_recipients) == (sent, 6 - sent, 6)
        assert stats.eta_seconds is None
    assert status_of(campaign) == "completed"


def test_who_waits_for_the_hour_does_not_stand_still_and_is_not_published_early(
    broker: Broker,
) -> None:
    devices_in(TOKYO, NEW_YORK)
    campaign = planned_at("03-01 19:00", scheduled="03-02 08:00")
    for minutes in range(0, 290, 15):
        rescue_at(at("03-01 19:00") + timedelta(minutes=minutes))
    assert taken_by_workers(broker) == []
    assert not DeliveryBatch.objects.exclude(dispatches=0).exists()
    assert status_of(campaign) == "processing"
    assert has_work(campaign, now=at("03-01 20:00")) is False
    assert has_work(campaign, now=at("03-02 00:01")) is True


def test_no_batch_is_claimed_before_its_hour() -> None:
    devices_in(TOKYO)
    planned_at("03-01 19:00", scheduled="03-02 08:00")
    [batch] = DeliveryBatch.objects.all()
    assert claim_pending_batch(batch_id=batch.pk, now=at("03-01 23:59"), lease_s=15) is None
    assert claim_pending_batch(batch_id=batch.pk, now=at("03-02 00:00"), lease_s=15) is not None


def test_a_pause_holds_waiting_zones_too_and_a_resume_sends_what_is_due(broker: Broker) -> None:
    devices_in(TOKYO, NEW_YORK)
    campaign = planned_at("03-01 19:00", scheduled="03-02 08:00")
    tokyo, _ = DeliveryBatch.objects.order_by("retry_at")
    services.pause_campaign(campaign_id=campaign.pk)
    rescue_at(at("03-02 01:00"))
    assert taken_by_workers(broker) == []
    services.resume_campaign(campaign_id=campaign.pk)
    rescue_at(at("03-02 02:00"))
    assert taken_by_workers(broker) == [tokyo.pk]


def test_a_cancelled_campaign_skips_the_zones_that_wait() -> None:
    devices_in(TOKYO, NEW_YORK)
    campaign = planned_at("03-01 19:00", scheduled="03-02 08:00")
    tokyo, _ = DeliveryBatch.objects.order_by("retry_at")
    settle_all(tokyo, Outcome.SUCCESS, now=at("03-02 00:00"))
    services.cancel_campaign(campaign_id=campaign.pk, now=at("03-02 01:00"))
    assert account(campaign) == {
        "total_recipients": 4,
        "sent_count": 2,
        "success_count": 2,
        "skipped_count": 2,
    }


def test_a_scheduled_campaign_begins_with_the_first_clock_on_earth() -> None:
    devices_in(TOKYO)
    campaign = make_campaign(local_time=True, timezone=BERLIN)
    services.schedule_campaign(
        campaign_id=campaign.pk, scheduled_at=at("03-03 08:00"), now=at("03-01 00:00")
    )
    assert services.start_due_campaigns(now=at("03-02 18:59")) == 0
    assert services.start_due_campaigns(now=at("03-02 19:00")) == 1
    assert status_of(campaign) == "processing"


def test_one_that_is_taken_back_before_is_not_started() -> None:
    campaign = make_campaign(local_time=True, timezone=BERLIN)
    services.schedule_campaign(
        campaign_id=campaign.pk, scheduled_at=at("03-03 08:00"), now=at("03-01 00:00")
    )
    transitions.move_campaign(campaign_id=campaign.pk, move=Move.UNSCHEDULE, scheduled_at=None)
    assert services.start_due_campaigns(now=at("03-03 08:00")) == 0


def test_others_are_not_started_ahead_of_their_moment() -> None:
    make_campaign(status="scheduled", scheduled_at=at("03-03 08:00"))
    assert services.start_due_campaigns(now=at("03-02 20:00")) == 0
