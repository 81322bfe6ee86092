from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from campaigns.models import DeliveryBatch, Lane, PushCampaign, PushLog
from campaigns.states import CampaignStatus
from pushcore.messages import Priority
from pushcore.outcomes import Outcome
from tests.cast import (
    NOW,
    claim,
    make_campaign,
    make_devices,
    make_project,
    seconds_later,
    settle_all,
    start_and_plan,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        ("campaign_status_legal", {"status": "lost"}),
        ("campaign_priority_legal", {"priority": "urgent"}),
        ("campaign_account_adds_up", {"sent_count": 1}),
        ("campaign_account_adds_up", {"success_count": 1}),
        ("campaign_account_adds_up", {"sent_count": 1, "success_count": 1}),
        ("campaign_account_adds_up", {"skipped_count": 1}),
        (
            "campaign_account_adds_up",
            {"total_recipients": 1, "sent_count": 1, "unknown_count": 1, "skipped_count": 1},
        ),
        ("campaign_account_adds_up", {"invalid_count": 1}),
        ("campaign_completed_whole", {"status": "completed", "total_recipients": 1}),
        ("campaign_account_adds_up", {"total_recipients": -1}),
        ("success_count", {"success_count": -1, "failure_count": 1}),
        ("unknown_count", {"unknown_count": -1, "success_count": 1}),
        ("skipped_count", {"skipped_count": -1}),
    ],
)
def test_the_database_refuses_an_impossible_campaign(rule: str, fields: dict[str, Any]) -> None:
    campaign = make_campaign()
    with pytest.raises(IntegrityError, match=rule), transaction.atomic():
        PushCampaign.objects.filter(pk=campaign.pk).update(**fields)


def test_a_campaign_over_a_project_has_one_lane() -> None:
    make_devices(make_project(), 1)
    campaign = make_campaign()
    start_and_plan(campaign)
    lane = Lane.objects.get()
    with pytest.raises(IntegrityError, match="lane_once"), transaction.atomic():
        Lane.objects.create(
            campaign=campaign, project=lane.project, plan_until_id=0, progressed_at=NOW
        )


def test_a_place_in_a_lane_is_taken_by_one_batch() -> None:
    make_devices(make_project(), 1)
    [batch] = start_and_plan(make_campaign())
    batch.pk = None
    with pytest.raises(IntegrityError, match="batch_once"), transaction.atomic():
        batch.save(force_insert=True)


def test_a_batch_of_more_than_its_log_can_number_is_refused() -> None:
    make_devices(make_project(), 1)
    [batch] = start_and_plan(make_campaign())
    with pytest.raises(IntegrityError, match="batch_size_bounded"), transaction.atomic():
        DeliveryBatch.objects.update(device_ids=list(range(1, 1_002)))
    DeliveryBatch.objects.update(device_ids=list(range(1, 1_001)))
    ids = PushLog.objects.order_by("id").values_list("id", flat=True)
    assert (ids[0], ids[999]) == (batch.pk * 1_000, batch.pk * 1_000 + 999)


def test_a_campaign_with_a_ledger_is_not_deleted() -> None:
    make_devices(make_project(), 1)
    campaign = make_campaign()
    start_and_plan(campaign)
    with pytest.raises(ProtectedError):
        campaign.delete()
    assert DeliveryBatch.objects.count() == 1


def test_a_campaign_outlives_its_author(django_user_model: Any) -> None:
    author = django_user_model.objects.create_user("ann")
    campaign = make_campaign(created_by=author)
    author.delete()
    campaign.refresh_from_db()
    assert campaign.created_by is None


def test_the_log_lists_devices_before_anything_was_sent() -> None:
    [device] = make_devices(make_project(), 1)
    campaign = make_campaign()
    start_and_plan(campaign)
    [entry] = PushLog.objects.filter(campaign=campaign)
    assert (entry.device, entry.status, entry.error, entry.message_id, entry.sent_at) == (
        device,
        "pending",
        "",
        "",
        None,
    )


def test_the_log_outlives_the_device() -> None:
    [device] = make_devices(make_project(), 1)
    campaign = make_campaign()
    [batch] = start_and_plan(campaign)
    settle_all(batch, Outcome.SUCCESS, now=seconds_later(1))
    device_id = device.pk
    device.delete()
    [entry] = PushLog.objects.filter(campaign=campaign)
    assert (entry.device_id, entry.status, entry.sent_at) == (
        device_id,
        "success",
        seconds_later(1),
    )


def test_every_outcome_has_a_name_in_the_log() -> None:
    make_devices(make_project(), len(Outcome))
    [batch] = start_and_plan(make_campaign())
    claim(batch)
    DeliveryBatch.objects.update(outcomes=list(Outcome))
    names = PushLog.objects.order_by("id").values_list("status", flat=True)
    assert list(names) == ["pending", "success", "invalid", "failed", "unknown", "skipped"]
    assert list(names) == PushLog.Status.values


def test_what_a_device_got_is_found_by_its_range() -> None:
    """The ids of a batch ascend, which is what its index relies on."""
    devices = make_devices(make_project(), 3)
    start_and_plan(make_campaign())
    query = (
        "SELECT log.device_id FROM campaigns_deliverybatch batch, campaigns_pushlog log"
        " WHERE log.id / 1000 = batch.id AND log.device_id = %s AND"
        " int8range(device_ids[1], device_ids[cardinality(device_ids)], '[]') @> %s::bigint"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [devices[1].pk, devices[1].pk])
        assert cursor.fetchall() == [(devices[1].pk,)]


@pytest.mark.parametrize("priority", list(Priority))
def test_a_campaign_knows_its_queue(priority: Priority) -> None:
    queues = {"high": "high_priority", "normal": "default", "low": "low_priority"}
    assert make_campaign(priority=priority.value).queue == queues[priority]


def test_a_campaign_knows_what_remains_and_what_may_be_done() -> None:
    campaign = PushCampaign(
        status=CampaignStatus.PAUSED, total_recipients=10, sent_count=4, skipped_count=1
    )
    assert (campaign.remaining_count, campaign.allowed_moves) == (5, ["cancel", "resume"])


def test_the_content_says_all_that_the_campaign_says() -> None:
    campaign = make_campaign(
        title="Sale",
        message="Half price.",
        image_url="https://cdn.example/x.png",
        link_url="https://shop.example/",
        data_payload={"sku": "1"},
        priority="high",
        time_to_live_s=60,
        expires_at=NOW,
        platform_overrides={"android": {"notification": {"color": "#f00"}}},
    )
    content = campaign.content()
    assert (content.campaign_id, content.title, content.body) == (
        campaign.pk,
        "Sale",
        "Half price.",
    )
    assert (content.image_url, content.link_url) == (
        "https://cdn.example/x.png",
        "https://shop.example/",
    )
    assert (content.data, content.priority) == ({"sku": "1"}, Priority.HIGH)
    assert (content.time_to_live_s, content.expires_at) == (60, NOW)
    assert content.platform_overrides == {"android": {"notification": {"color": "#f00"}}}


def test_no_statistics_are_made_of_the_ledgers_arrays() -> None:
    """They would take seconds of processor time each minute, and no query is planned by them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attstattarget = 0 AND attrelid IN"
            " ('campaigns_deliverybatch'::regclass, 'batch_device_range'::regclass)"
        )
        spared = {name for (name,) in cursor}

    assert spared == {"device_ids", "outcomes", "message_ids", "int8range"}
