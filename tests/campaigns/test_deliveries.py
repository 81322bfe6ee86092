from __future__ import annotations

import pytest
from pytest_django import Settings

from campaigns import deliveries
from campaigns.deliveries import (
    START,
    Delivery,
    Place,
    Wanted,
    all_deliveries,
    deliveries_after,
)
from campaigns.ledger import settle_held_batch
from campaigns.models import DeliveryBatch, PushCampaign, PushLog
from devices.models import DeviceToken
from pushcore.outcomes import Outcome
from tests.cast import (
    NOW,
    claim,
    make_campaign,
    make_devices,
    make_project,
    settle_all,
    start_and_plan,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def small_batches(settings: Settings) -> None:
    settings.BATCH_SIZE = 3


def two_projects() -> tuple[PushCampaign, list[DeliveryBatch]]:
    """Seven devices of one project in three batches, four of another in two."""
    make_devices(make_project(), 7)
    make_devices(make_project(), 4, platform="ios")
    campaign = make_campaign()
    return campaign, start_and_plan(campaign)


def settle(batch: DeliveryBatch, *outcomes: Outcome) -> None:
    entry = claim(batch)
    for place, outcome in enumerate(outcomes):
        code = "" if outcome == Outcome.SUCCESS else outcome.name
        entry.settle_device(place, outcome, code=code, detail=code and "the provider's words")
        if outcome == Outcome.SUCCESS:
            entry.message_ids[place] = f"message-{place}"
    assert settle_held_batch(entry, now=NOW)


def read(
    campaign: PushCampaign, place: Place = START, limit: int = 100, **wanted: object
) -> list[int]:
    found = deliveries_after(
        place,
        wanted=Wanted(campaign_id=campaign.pk, **wanted),  # type: ignore[arg-type]
        limit=limit,
    )
    return [one.device_id for one in found]


def test_deliveries_come_in_the_order_of_the_ledger() -> None:
    campaign, _ = two_projects()
    assert read(campaign) == list(DeviceToken.objects.order_by("pk").values_list("pk", flat=True))


def test_a_delivery_says_all_that_is_known_of_it() -> None:
    campaign, [first, *_] = two_projects()
    settle(first, Outcome.SUCCESS, Outcome.INVALID_TOKEN, Outcome.SKIPPED)
    devices = list(DeviceToken.objects.order_by("pk")[:4])
    place = (first.project_id, 0)
    words = "the provider's words"
    assert deliveries_after(START, wanted=Wanted(campaign_id=campaign.pk), limit=4) == [
        Delivery(
            Place(*place, 1), devices[0].pk, devices[0].user_id, "android", "success", "", "",
            "message-0", NOW,
        ),
        Delivery(
            Place(*place, 2), devices[1].pk, devices[1].user_id, "android", "invalid",
            "INVALID_TOKEN", words, "", NOW,
        ),
        Delivery(
            Place(*place, 3), devices[2].pk, devices[2].user_id, "android", "skipped", "SKIPPED",
            words, "", None,
        ),
        Delivery(
            Place(first.project_id, 1, 1), devices[3].pk, devices[3].user_id, "android", "pending",
            "", "", "", None,
        ),
    ]  # fmt: skip


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 11, 12])
def test_pages_of_any_size_hold_every_device_once(limit: int) -> None:
    campaign, _ = two_projects()
    place, seen = START, []
    while page := deliveries_after(place, wanted=Wanted(campaign_id=campaign.pk), limit=limit):
        assert len(page) <= limit
        place = page[-1].place
        seen += [one.device_id for one in page]
    assert seen == list(DeviceToken.objects.order_by("pk").values_list("pk", flat=True))


def test_deliveries_of_some_statuses_are_those_of_the_log() -> None:
    campaign, [first, second, third, *_] = two_projects()
    settle(first, Outcome.SUCCESS, Outcome.INVALID_TOKEN, Outcome.FAILED)
    settle(second, Outcome.UNKNOWN, Outcome.SKIPPED, Outcome.FAILED)
    settle(third, Outcome.INVALID_TOKEN)
    log = PushLog.objects.filter(campaign=campaign).order_by("device_id")
    for statuses in [[one] for one in PushLog.Status.values] + [["failed", "pending"]]:
        expected = list(log.filter(status__in=statuses).values_list("device_id", flat=True))
        assert expected
        assert read(campaign, statuses=statuses) == expected


def test_a_batch_that_waits_for_a_retry_shows_what_is_settled_in_it() -> None:
    campaign, [first, *_] = two_projects()
    entry = claim(first)
    entry.settle_device(1, Outcome.UNKNOWN, code="TIMEOUT")
    settle_held_batch(entry, now=NOW)
    assert read(campaign, statuses=["unknown"]) == [first.device_ids[1]]
    assert read(campaign, statuses=["pending"], limit=2) == [
        first.device_ids[0],
        first.device_ids[2],
    ]


def test_one_device_is_found_wherever_it_stands() -> None:
    campaign, batches = two_projects()
    make_campaign()
    other = make_campaign()
    start_and_plan(other)
    for batch in batches:
        for device_id in batch.device_ids:
            assert read(campaign, device_id=device_id) == [device_id]
    assert read(campaign, device_id=batches[-1].device_ids[-1] + 1) == []


def test_a_users_devices_are_found_in_every_project() -> None:
    campaign, batches = two_projects()
    hers = [batches[0].device_ids[1], batches[-1].device_ids[0]]
    DeviceToken.objects.filter(pk__in=hers).update(user_id="ann")
    assert read(campaign, user_id="ann") == hers
    assert read(campaign, user_id="ann", device_id=hers[1]) == [hers[1]]
    assert read(campaign, user_id="ann", device_id=batches[0].device_ids[0]) == []
    assert read(campaign, user_id="nobody") == []


def test_a_device_that_was_deleted_since_keeps_its_delivery() -> None:
    campaign, [first, *_] = two_projects()
    settle_all(first, Outcome.SUCCESS)
    DeviceToken.objects.filter(pk=first.device_ids[0]).delete()
    [one] = deliveries_after(START, wanted=Wanted(campaign_id=campaign.pk), limit=1)
    assert (one.device_id, one.user_id, one.platform) == (first.device_ids[0], None, None)


def test_all_deliveries_are_read_so_many_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "EXPORT_AT_ONCE", 5)
    campaign, _ = two_projects()
    pages = list(all_deliveries(Wanted(campaign_id=campaign.pk)))
    assert [len(page) for page in pages] == [5, 5, 1]
