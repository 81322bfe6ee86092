from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from campaigns import ledger, transitions
from campaigns.entry import Entry, Waiting
from campaigns.ledger import claim_pending_batch, settle_held_batch
from campaigns.models import DeliveryBatch, PushLog
from campaigns.states import BatchState, Move
from devices.models import DeviceToken
from pushcore.outcomes import Outcome
from tests.cast import (
    LEASE_S,
    NOW,
    account,
    claim,
    make_campaign,
    make_devices,
    make_project,
    seconds_later,
    settle_all,
    start_and_plan,
    status_of,
)

pytestmark = pytest.mark.django_db


def one_batch(count: int = 3, **fields: object) -> DeliveryBatch:
    make_devices(make_project(), count)
    [batch] = start_and_plan(make_campaign(**fields))
    return batch


def test_a_batch_is_claimed_once() -> None:
    batch = one_batch()
    entry = claim(batch)
    again = claim_pending_batch(batch_id=batch.pk, now=NOW, lease_s=LEASE_S)
    assert (entry.attempt, entry.due(NOW), again) == (1, [0, 1, 2], None)


@pytest.mark.parametrize("move", [Move.PAUSE, Move.CANCEL])
def test_a_batch_of_a_campaign_that_is_not_being_sent_is_not_claimed(move: Move) -> None:
    batch = one_batch()
    transitions.move_campaign(campaign_id=batch.campaign_id, move=move)
    assert claim_pending_batch(batch_id=batch.pk, now=NOW, lease_s=LEASE_S) is None
    batch.refresh_from_db()
    assert (batch.state, batch.attempt) == (BatchState.PENDING, 0)


def test_a_batch_of_a_halted_lane_is_not_claimed_and_that_of_another_is() -> None:
    for _ in range(2):
        make_devices(make_project(), 1)
    halted, going = start_and_plan(make_campaign())
    transitions.halt_lane(
        campaign_id=halted.campaign_id, project_id=halted.project_id, reason="API disabled"
    )
    assert status_of(halted.campaign) == "processing"
    assert claim_pending_batch(batch_id=halted.pk, now=NOW, lease_s=LEASE_S) is None
    assert claim(going).attempt == 1


def test_a_batch_of_an_expired_campaign_is_not_claimed() -> None:
    batch = one_batch(expires_at=seconds_later(60))
    late = seconds_later(60)
    assert claim_pending_batch(batch_id=batch.pk, now=late, lease_s=LEASE_S) is None


def test_settling_moves_outcomes_counts_and_counters_together() -> None:
    batch = one_batch(count=5)
    entry = claim(batch)
    for place, outcome in enumerate([1, 2, 3, 4, 5]):
        entry.settle_device(place, Outcome(outcome), code="" if outcome == 1 else "WHY")
    entry.message_ids[0] = "m-1"
    assert settle_held_batch(entry, now=seconds_later(1))

    batch.refresh_from_db()
    assert (batch.state, batch.outcomes) == (BatchState.SETTLED, [1, 2, 3, 4, 5])
    assert (batch.settled_at, batch.lease_until) == (seconds_later(1), None)
    assert account(batch.campaign) == {
        "total_recipients": 5,
        "sent_count": 4,
        "success_count": 1,
        "failure_count": 2,
        "invalid_count": 1,
        "unknown_count": 1,
        "skipped_count": 1,
    }
    log = PushLog.objects.filter(campaign=batch.campaign).order_by("id")
    assert list(log.values_list("device_id", "status", "error", "message_id")) == [
        (batch.device_ids[0], "success", "", "m-1"),
        (batch.device_ids[1], "invalid", "WHY", ""),
        (batch.device_ids[2], "failed", "WHY", ""),
        (batch.device_ids[3], "unknown", "WHY", ""),
        (batch.device_ids[4], "skipped", "WHY", ""),
    ]


def test_a_late_settle_of_a_former_holder_changes_nothing() -> None:
    batch = one_batch()
    zombie = claim(batch)
    late = seconds_later(LEASE_S)
    assert ledger.rewrite_open_batch(
        batch_id=batch.pk, state=BatchState.SENDING, now=late, rewrite=lambda entry: None
    )
    settle_all(batch, Outcome.SUCCESS, now=late)

    zombie.settle_pending(Outcome.FAILED, code="LATE")
    assert settle_held_batch(zombie, now=late) is False
    assert account(batch.campaign) == {
        "total_recipients": 3,
        "sent_count": 3,
        "success_count": 3,
    }


def test_a_late_settle_changes_nothing_of_what_another_holds_now() -> None:
    batch = one_batch()
    zombie = claim(batch)
    late = seconds_later(LEASE_S)
    assert ledger.rewrite_open_batch(
        batch_id=batch.pk, state=BatchState.SENDING, now=late, rewrite=lambda entry: None
    )
    holder = claim(batch, now=late)

    zombie.settle_pending(Outcome.FAILED, code="LATE")
    assert settle_held_batch(zombie, now=late) is False
    for place in range(3):
        holder.settle_device(place, Outcome.SUCCESS)
    assert settle_held_batch(holder, now=late) is True
    assert account(batch.campaign)["success_count"] == 3


def test_what_is_to_be_retried_waits_in_the_ledger_and_the_rest_is_settled_at_once() -> None:
    batch = one_batch()
    entry = claim(batch)
    entry.settle_device(0, Outcome.SUCCESS)
    due = seconds_later(10).timestamp()
    for place in (1, 2):
        entry.retries[place] = Waiting(1, True, NOW.timestamp(), due, "UNAVAILABLE")
    assert settle_held_batch(entry, now=NOW)

    batch.refresh_from_db()
    assert (batch.state, batch.retry_at) == (BatchState.PENDING, seconds_later(10))
    assert account(batch.campaign)["success_count"] == 1
    assert claim_pending_batch(batch_id=batch.pk, now=seconds_later(9), lease_s=60) is None
    retried = claim(batch, now=seconds_later(10))
    assert retried.due(seconds_later(10)) == [1, 2]
    assert retried.retries[1] == Waiting(1, True, NOW.timestamp(), due, "UNAVAILABLE")


def test_counters_count_a_device_once_over_several_settles() -> None:
    batch = one_batch()
    entry = claim(batch)
    entry.settle_device(0, Outcome.SUCCESS)
    assert settle_held_batch(entry, now=NOW)
    settle_all(batch, Outcome.SUCCESS)
    assert account(batch.campaign)["success_count"] == 3


def test_settling_deactivates_the_dead_unless_their_address_has_changed() -> None:
    batch = one_batch(count=3)
    entry = claim(batch)
    devices = devices_of(batch)
    devices[1].address = "moved on"
    devices[1].save(update_fields=["address"])
    entry.settle_pending(Outcome.INVALID_TOKEN, code="UNREGISTERED")
    entry.dead = [(devices[0].pk, devices[0].address), (devices[1].pk, "what it was")]
    assert settle_held_batch(entry, now=NOW)
    states = [
        (device.is_active, device.inactive_reason, device.inactive_since)
        for device in devices_of(batch)
    ]
    assert states == [(False, "dead_address", NOW), (True, "", None), (True, "", None)]


def devices_of(batch: DeliveryBatch) -> list[DeviceToken]:
    return list(DeviceToken.objects.filter(pk__in=batch.device_ids).order_by("pk"))


def test_giving_back_to_a_cancelled_campaign_skips_what_was_never_sent() -> None:
    batch = one_batch()
    entry = claim(batch)
    entry.settle_device(0, Outcome.SUCCESS)
    entry.retries[1] = Waiting(1, True, NOW.timestamp(), NOW.timestamp(), "TIMEOUT")
    transitions.move_campaign(campaign_id=batch.campaign_id, move=Move.CANCEL)
    assert settle_held_batch(entry, now=NOW)
    batch.refresh_from_db()
    assert batch.outcomes == [Outcome.SUCCESS, Outcome.UNKNOWN, Outcome.SKIPPED]


def test_skipping_takes_only_batches_of_which_nothing_can_have_been_sent() -> None:
    make_devices(make_project(), 1_200)
    campaign = make_campaign()
    first, second, _ = start_and_plan(campaign)
    claim(first)
    waiting = claim(second)
    waiting.retries[0] = Waiting(1, True, NOW.timestamp(), NOW.timestamp(), "TIMEOUT")
    assert settle_held_batch(waiting, now=NOW)
    assert ledger.skip_untried_batches(campaign_id=campaign.pk, now=NOW, limit=10) == 1
    states = DeliveryBatch.objects.order_by("seq").values_list("state", flat=True)
    assert list(states) == [BatchState.SENDING, BatchState.PENDING, BatchState.CANCELLED]
    assert account(campaign) == {"total_recipients": 1_200, "skipped_count": 200}


def test_reopening_takes_back_failures_but_not_dead_addresses() -> None:
    batch = one_batch(count=4)
    entry = claim(batch)
    for place, outcome in enumerate([1, 2, 3, 3]):
        entry.settle_device(place, Outcome(outcome), code=f"CODE-{place}")
    assert settle_held_batch(entry, now=NOW)
    transitions.complete_if_settled(campaign_id=batch.campaign_id, now=NOW)
    transitions.move_campaign(campaign_id=batch.campaign_id, move=Move.RETRY_FAILED)
    assert ledger.reopen_failed(campaign_id=batch.campaign_id) == 2
    batch.refresh_from_db()
    assert (batch.state, batch.outcomes) == (BatchState.PENDING, [1, 2, 0, 0])
    assert sorted(batch.errors) == ["0", "1"]
    assert account(batch.campaign) == {
        "total_recipients": 4,
        "sent_count": 2,
        "success_count": 1,
        "failure_count": 1,
        "invalid_count": 1,
    }


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        ("batch_settled_whole", {"state": "settled", "outcomes": [1, 0, 1], "success_count": 2}),
        ("batch_settled_whole", {"state": "settled", "outcomes": [1, 1, 1], "success_count": 2}),
        ("batch_settled_whole", {"state": "settled"}),
        ("batch_outcome_each", {"outcomes": [1, 1]}),
        ("batch_outcome_known", {"outcomes": [1, 1, 6]}),
        ("batch_lease_while_sending", {"state": "sending"}),
        ("batch_state_legal", {"state": "lost"}),
        ("batch_size_bounded", {"device_ids": []}),
    ],
)
def test_the_database_refuses_an_impossible_batch(rule: str, fields: dict[str, object]) -> None:
    batch = one_batch()
    with pytest.raises(IntegrityError, match=rule), transaction.atomic():
        DeliveryBatch.objects.filter(pk=batch.pk).update(**fields)


def test_due_leaves_out_those_whose_retry_is_later() -> None:
    batch = one_batch()
    entry: Entry = claim(batch)
    later = (NOW + timedelta(seconds=5)).timestamp()
    entry.retries[1] = Waiting(1, False, NOW.timestamp(), later, "INTERNAL")
    assert entry.due(NOW) == [0, 2]


def test_whatever_was_answered_can_be_settled() -> None:
    """An account that the database refused would be sent again, and refused again."""
    batch = one_batch()
    entry = claim(batch)
    entry.settle_device(0, Outcome.SUCCESS)
    entry.settle_device(1, Outcome.SUCCESS)
    entry.settle_device(2, Outcome.FAILED, code="HTTP_418", detail="te\0a 🫖 \\u0000 \"'")
    entry.message_ids[:] = ['a\0"b\\,{}', "NULL", None]
    assert settle_held_batch(entry, now=NOW)
    batch.refresh_from_db()
    assert batch.message_ids == ['a"b\\,{}', "NULL", None]
    assert batch.errors == {"2": {"code": "HTTP_418", "detail": "tea 🫖 \\u0000 \"'"}}
