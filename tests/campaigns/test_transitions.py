from __future__ import annotations

import pytest

from campaigns import transitions
from campaigns.errors import IllegalMove
from campaigns.models import DeliveryBatch, Lane, PushCampaign
from campaigns.states import MOVES, BatchState, CampaignStatus, Move, moves_from
from pushcore.outcomes import Outcome
from tests.cast import (
    NOW,
    TASK_ID,
    account,
    claim,
    make_campaign,
    make_devices,
    make_project,
    seconds_later,
    settle_all,
    start_and_plan,
)
from tests.concurrency import run_at_once

pytestmark = pytest.mark.django_db

EVERY_MOVE = [(move, status) for move in Move for status in CampaignStatus]
LEGAL = [(move, status) for move, status in EVERY_MOVE if status in MOVES[move][0]]
ILLEGAL = [(move, status) for move, status in EVERY_MOVE if status not in MOVES[move][0]]


def campaign_in(status: str, **fields: object) -> PushCampaign:
    campaign = make_campaign(**fields)
    PushCampaign.objects.filter(pk=campaign.pk).update(status=status)
    campaign.refresh_from_db()
    return campaign


def status_of(campaign: PushCampaign) -> tuple[str, str]:
    campaign.refresh_from_db()
    return campaign.status, campaign.status_reason


@pytest.mark.parametrize(("move", "status"), LEGAL)
def test_a_legal_move_arrives_with_its_changes(move: Move, status: CampaignStatus) -> None:
    campaign = campaign_in(status)
    transitions.move_campaign(campaign_id=campaign.pk, move=move, status_reason="because")
    assert status_of(campaign) == (MOVES[move][1], "because")


@pytest.mark.parametrize(("move", "status"), ILLEGAL)
def test_an_illegal_move_changes_nothing_and_names_the_legal_ones(
    move: Move, status: CampaignStatus
) -> None:
    campaign = campaign_in(status)
    with pytest.raises(IllegalMove) as refusal:
        transitions.move_campaign(campaign_id=campaign.pk, move=move, status_reason="because")
    assert (refusal.value.status, refusal.value.allowed) == (status, moves_from(status))
    assert status_of(campaign) == (status, "")


def test_a_refusal_reads_as_a_sentence() -> None:
    campaign = campaign_in("paused")
    with pytest.raises(IllegalMove) as refusal:
        transitions.move_campaign(campaign_id=campaign.pk, move=Move.PAUSE)
    assert str(refusal.value) == (
        "Cannot pause a campaign that is paused; allowed now: cancel, resume."
    )


def test_moving_a_campaign_that_is_not_there_says_so() -> None:
    with pytest.raises(PushCampaign.DoesNotExist):
        transitions.move_campaign(campaign_id=0, move=Move.PAUSE)


def test_starting_notes_task_and_time() -> None:
    campaign = make_campaign()
    transitions.start(campaign_id=campaign.pk, task_id=TASK_ID, now=NOW)
    campaign.refresh_from_db()
    assert (campaign.status, campaign.task_id, campaign.started_at) == ("processing", TASK_ID, NOW)


def test_a_campaign_without_audience_is_complete_at_once() -> None:
    campaign = make_campaign()
    assert start_and_plan(campaign) == []
    assert transitions.complete_if_settled(campaign_id=campaign.pk, now=seconds_later(1))
    campaign.refresh_from_db()
    assert (campaign.status, campaign.completed_at) == ("completed", seconds_later(1))


def test_a_campaign_is_not_complete_while_a_batch_is_pending_or_being_sent() -> None:
    make_devices(make_project(), 2)
    campaign = make_campaign()
    [batch] = start_and_plan(campaign)
    while_pending = transitions.complete_if_settled(campaign_id=campaign.pk, now=NOW)
    claim(batch)
    while_sending = transitions.complete_if_settled(campaign_id=campaign.pk, now=NOW)
    assert (while_pending, while_sending) == (False, False)
    assert status_of(campaign) == ("processing", "")


def test_a_campaign_is_not_complete_while_a_lane_is_unplanned() -> None:
    make_devices(make_project(), 2)
    campaign = make_campaign()
    [batch] = start_and_plan(campaign)
    settle_all(batch, Outcome.SUCCESS)
    Lane.objects.filter(campaign=campaign).update(planned_at=None)
    assert not transitions.complete_if_settled(campaign_id=campaign.pk, now=NOW)
    Lane.objects.filter(campaign=campaign).update(planned_at=NOW)
    assert transitions.complete_if_settled(campaign_id=campaign.pk, now=NOW)


@pytest.mark.parametrize("status", ["paused", "cancelled", "failed", "draft"])
def test_only_a_campaign_that_is_being_sent_completes(status: str) -> None:
    campaign = campaign_in(status)
    assert not transitions.complete_if_settled(campaign_id=campaign.pk, now=NOW)
    assert status_of(campaign) == (status, "")


@pytest.mark.django_db(transaction=True)
def test_of_many_that_complete_a_campaign_at_once_one_is_told_so() -> None:
    campaign = make_campaign()
    start_and_plan(campaign)
    answers = run_at_once(
        8, lambda: transitions.complete_if_settled(campaign_id=campaign.pk, now=NOW)
    )
    assert sorted(answers) == [False] * 7 + [True]


@pytest.mark.parametrize(
    ("status", "fails"),
    [("processing", True), ("paused", True), ("completed", False), ("cancelled", False)],
)
def test_failing_ends_what_runs_and_leaves_what_has_ended(status: str, fails: bool) -> None:
    campaign = campaign_in(status)
    failed = transitions.fail_if_running(
        campaign_id=campaign.pk, reason="INVALID_ARGUMENT too big", now=NOW
    )
    assert failed is fails
    expected = ("failed", "INVALID_ARGUMENT too big") if fails else (status, "")
    assert status_of(campaign) == expected


def test_a_campaign_expires_at_its_moment_and_not_before() -> None:
    make_devices(make_project(), 1)
    campaign = make_campaign(expires_at=seconds_later(60))
    start_and_plan(campaign)
    early = transitions.cancel_if_expired(campaign_id=campaign.pk, now=seconds_later(59))
    late = transitions.cancel_if_expired(campaign_id=campaign.pk, now=seconds_later(60))
    assert (early, late) == (False, True)
    assert status_of(campaign) == ("cancelled", "expired before everybody was sent to")


def test_a_campaign_that_never_started_does_not_expire() -> None:
    campaign = make_campaign(expires_at=seconds_later(60))
    assert not transitions.cancel_if_expired(campaign_id=campaign.pk, now=seconds_later(61))
    assert status_of(campaign) == ("draft", "")


def test_a_campaign_without_expiry_does_not_expire() -> None:
    make_devices(make_project(), 1)
    campaign = make_campaign()
    start_and_plan(campaign)
    assert not transitions.cancel_if_expired(campaign_id=campaign.pk, now=seconds_later(10**8))


def test_a_campaign_with_nothing_left_to_send_does_not_expire() -> None:
    make_devices(make_project(), 1)
    campaign = make_campaign(expires_at=seconds_later(60))
    [batch] = start_and_plan(campaign)
    settle_all(batch, Outcome.SUCCESS)
    assert not transitions.cancel_if_expired(campaign_id=campaign.pk, now=seconds_later(61))


def two_lanes() -> tuple[PushCampaign, DeliveryBatch, DeliveryBatch]:
    make_devices(make_project(), 2)
    make_devices(make_project(), 2)
    campaign = make_campaign()
    first, second = start_and_plan(campaign)
    return campaign, first, second


def halt(batch: DeliveryBatch, reason: str) -> bool:
    return transitions.halt_lane(
        campaign_id=batch.campaign_id, project_id=batch.project_id, reason=reason
    )


def test_a_refused_project_holds_up_its_lane_only() -> None:
    campaign, first, _ = two_lanes()
    assert halt(first, "API disabled")
    reasons = Lane.objects.order_by("project_id").values_list("halt_reason", flat=True)
    assert list(reasons) == ["API disabled", ""]
    assert status_of(campaign) == ("processing", "")


def test_a_lane_is_halted_by_the_first_who_meets_the_refusal() -> None:
    _, first, _ = two_lanes()
    assert (halt(first, "API disabled"), halt(first, "again")) == (True, False)
    assert Lane.objects.get(project=first.project_id).halt_reason == "API disabled"


@pytest.mark.parametrize("move", [Move.PAUSE, Move.FAIL])
def test_whatever_words_a_refusal_has_they_can_be_kept(move: Move) -> None:
    campaign, first, second = two_lanes()
    if move is Move.FAIL:
        transitions.fail_if_running(campaign_id=campaign.pk, reason="no\0 🫖", now=NOW)
        assert status_of(campaign) == ("failed", "no 🫖")
    else:
        halt(first, "no\0 🫖")
        halt(second, "no\0 🫖")
        assert status_of(campaign) == ("paused", "no 🫖")


def test_a_campaign_with_no_lane_left_pauses_with_the_reason() -> None:
    campaign, first, second = two_lanes()
    halt(first, "API disabled")
    halt(second, "no permission")
    assert status_of(campaign) == ("paused", "API disabled; no permission")


def test_a_campaign_pauses_when_what_is_left_of_it_is_refused() -> None:
    campaign, first, second = two_lanes()
    settle_all(first, Outcome.SUCCESS)
    halt(second, "no permission")
    assert status_of(campaign) == ("paused", "no permission")


def test_a_campaign_with_nothing_left_is_not_held_up_by_a_late_refusal() -> None:
    campaign, first, second = two_lanes()
    settle_all(first, Outcome.SUCCESS)
    settle_all(second, Outcome.FAILED)
    halt(first, "senders do not match")
    halt(second, "senders do not match")
    assert status_of(campaign) == ("processing", "")
    assert transitions.complete_if_settled(campaign_id=campaign.pk, now=NOW)


def test_a_halted_lane_that_is_not_planned_yet_holds_the_campaign_up() -> None:
    campaign, first, second = two_lanes()
    settle_all(first, Outcome.SUCCESS)
    settle_all(second, Outcome.SUCCESS)
    Lane.objects.filter(project=first.project_id).update(planned_at=None)
    halt(first, "API disabled")
    assert status_of(campaign) == ("paused", "API disabled")


def test_a_refused_project_halts_all_campaigns_that_are_being_sent_over_it() -> None:
    make_devices(make_project(), 1)
    first, second, draft = make_campaign(), make_campaign(), make_campaign()
    [batch] = start_and_plan(first)
    start_and_plan(second)
    assert transitions.halt_project(project_id=batch.project_id, reason="API disabled") == 2
    assert [status_of(one) for one in (first, second, draft)] == [
        ("paused", "API disabled"),
        ("paused", "API disabled"),
        ("draft", ""),
    ]
    assert transitions.halt_project(project_id=batch.project_id, reason="API disabled") == 0


def test_clearing_halts_lets_every_lane_of_the_campaign_go_on() -> None:
    campaign, first, _ = two_lanes()
    halt(first, "API disabled")
    transitions.clear_halts(campaign_id=campaign.pk)
    assert claim(first).attempt == 1


def test_forgetting_dispatches_takes_waiting_batches_for_unpublished() -> None:
    campaign, first, second = two_lanes()
    DeliveryBatch.objects.update(dispatched_at=NOW, dispatches=3)
    claim(second)
    settle_all(first, Outcome.SUCCESS)
    DeliveryBatch.objects.filter(pk=first.pk).update(
        state=BatchState.PENDING, settled_at=None, dispatched_at=NOW, dispatches=3
    )
    transitions.forget_dispatches(campaign_id=campaign.pk)
    rows = DeliveryBatch.objects.order_by("project_id").values_list(
        "state", "dispatched_at", "dispatches"
    )
    assert list(rows) == [("pending", None, 0), ("sending", None, 0)]


@pytest.mark.parametrize(("status", "counted"), [("processing", True), ("paused", False)])
def test_planned_devices_are_counted_only_while_the_campaign_is_sent(
    status: str, counted: bool
) -> None:
    campaign = campaign_in(status)
    assert transitions.add_planned(campaign_id=campaign.pk, devices=500) is counted
    assert account(campaign) == ({"total_recipients": 500} if counted else {})
