from __future__ import annotations

import pytest

from campaigns import rescue, transitions
from campaigns.entry import Waiting
from campaigns.ledger import claim_pending_batch, settle_held_batch
from campaigns.states import BatchState, Move
from pushcore.outcomes import Outcome
from tests.campaigns.conftest import Broker, send_of
from tests.cast import (
    LEASE_S,
    NOW,
    account,
    claim,
    planned,
    reloaded,
    rescue_after,
    seconds_later,
    settle_all,
    status_of,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("batches_of_two")]


class TestALeaseThatRanOut:
    def test_is_left_alone_before_its_end(self, broker: Broker) -> None:
        _, [batch] = planned(2)
        claim(batch)
        rescue_after(LEASE_S - 1)
        assert reloaded(batch).state == BatchState.SENDING

    def test_is_taken_over_and_sent_again(self, broker: Broker) -> None:
        campaign, [batch] = planned(2)
        claim(batch)
        rescue_after(LEASE_S)
        taken = reloaded(batch)
        assert (taken.state, taken.maybe_sent, taken.crashes) == (BatchState.PENDING, True, 1)
        assert broker.take_all("default") == [send_of(batch)]
        again = claim(batch, now=seconds_later(LEASE_S))
        assert (again.attempt, again.due(seconds_later(LEASE_S))) == (2, [0, 1])
        assert account(campaign) == {"total_recipients": 2}

    def test_is_left_to_its_holder_while_all_were_away(self, broker: Broker) -> None:
        _, [batch] = planned(2)
        claim(batch)
        rescue.rescue_all(now=NOW)
        rescue.rescue_all(now=seconds_later(LEASE_S))  # nobody looked meanwhile
        assert reloaded(batch).state == BatchState.SENDING
        rescue.rescue_all(now=seconds_later(LEASE_S + 5))
        assert reloaded(batch).state == BatchState.PENDING

    def test_is_left_to_its_holder_by_many_rescues_at_once_when_all_is_back(
        self, broker: Broker
    ) -> None:
        _, [batch] = planned(2)
        claim(batch)
        rescue.rescue_all(now=NOW)
        for after in (LEASE_S, LEASE_S + 0.1, LEASE_S + rescue.SETTLE_FIRST_S - 0.1):
            rescue.rescue_all(now=seconds_later(after))
            assert reloaded(batch).state == BatchState.SENDING

    def test_is_taken_over_by_a_rescue_that_seldom_gets_its_turn(self, broker: Broker) -> None:
        _, [batch] = planned(2)
        claim(batch)
        states = []
        for run in range(4):  # always after a gap, as in a queue that is too long
            rescue.rescue_all(now=seconds_later(LEASE_S + 60 * (run - 1)))
            states.append(reloaded(batch).state)
        assert states == ["sending", "sending", "pending", "pending"]

    def test_is_unknown_where_nothing_may_be_sent_twice(self, broker: Broker) -> None:
        campaign, [batch] = planned(2, guarantee="at_most_once")
        claim(batch)
        rescue_after(LEASE_S)
        taken = reloaded(batch)
        assert (taken.state, taken.outcomes) == (BatchState.SETTLED, [Outcome.UNKNOWN] * 2)
        assert taken.errors == {"0": {"code": "WORKER_LOST"}, "1": {"code": "WORKER_LOST"}}
        assert account(campaign) == {"total_recipients": 2, "sent_count": 2, "unknown_count": 2}
        assert status_of(campaign) == "completed"
        assert broker.take_all("default") == []

    def test_keeps_what_an_earlier_attempt_had_settled(self, broker: Broker) -> None:
        campaign, [batch] = planned(2, guarantee="at_most_once")
        entry = claim(batch)
        entry.settle_device(0, Outcome.SUCCESS)
        entry.retries[1] = Waiting(1, False, NOW.timestamp(), NOW.timestamp(), "NEVER_SENT")
        assert settle_held_batch(entry, now=NOW)
        claim(batch)
        rescue_after(LEASE_S)
        assert reloaded(batch).outcomes == [Outcome.SUCCESS, Outcome.UNKNOWN]
        assert account(campaign)["success_count"] == 1

    def test_is_given_up_after_so_many_workers_were_lost(self, broker: Broker) -> None:
        campaign, [batch] = planned(2)
        for crash in range(rescue.MAX_CRASHES):
            assert reloaded(batch).state == BatchState.PENDING
            claim(batch, now=seconds_later(crash * LEASE_S))
            rescue_after((crash + 1) * LEASE_S)
        given_up = reloaded(batch)
        assert (given_up.state, given_up.crashes) == (BatchState.SETTLED, 5)
        assert given_up.errors == {"0": {"code": "GIVEN_UP"}, "1": {"code": "GIVEN_UP"}}
        assert account(campaign) == {"total_recipients": 2, "sent_count": 2, "unknown_count": 2}
        assert status_of(campaign) == "completed"

    def test_of_a_paused_campaign_goes_back_and_is_not_sent(self, broker: Broker) -> None:
        campaign, [batch] = planned(2)
        claim(batch)
        transitions.move_campaign(campaign_id=campaign.pk, move=Move.PAUSE)
        rescue_after(LEASE_S)
        assert reloaded(batch).state == BatchState.PENDING
        assert broker.take_all("default") == []

    def test_of_a_cancelled_campaign_is_unknown(self, broker: Broker) -> None:
        campaign, [batch] = planned(2)
        claim(batch)
        transitions.move_campaign(campaign_id=campaign.pk, move=Move.CANCEL)
        rescue_after(LEASE_S)
        assert reloaded(batch).outcomes == [Outcome.UNKNOWN] * 2
        assert account(campaign) == {"total_recipients": 2, "sent_count": 2, "unknown_count": 2}

    def test_is_not_taken_over_twice(self, broker: Broker) -> None:
        _, [batch] = planned(2)
        claim(batch)
        late = seconds_later(LEASE_S)
        assert rescue.take_over_expired_batch(batch_id=batch.pk, now=late)
        assert not rescue.take_over_expired_batch(batch_id=batch.pk, now=late)
        assert reloaded(batch).crashes == 1

    def test_that_its_holder_settles_in_time_is_not_taken_over(self, broker: Broker) -> None:
        campaign, [batch] = planned(2)
        settle_all(batch, Outcome.SUCCESS)
        assert not rescue.take_over_expired_batch(batch_id=batch.pk, now=seconds_later(9_999))
        assert account(campaign)["success_count"] == 2


def test_the_late_holder_of_a_batch_finds_it_taken(broker: Broker) -> None:
    campaign, [batch] = planned(2)
    zombie = claim(batch)
    rescue_after(LEASE_S)
    zombie.settle_pending(Outcome.SUCCESS, code="")
    assert not settle_held_batch(zombie, now=seconds_later(LEASE_S + 1))
    assert account(campaign) == {"total_recipients": 2}


def test_a_rescued_batch_is_claimed_by_one_of_its_copies(broker: Broker) -> None:
    _, [batch] = planned(2)
    claim(batch)
    rescue_after(LEASE_S)
    late = seconds_later(LEASE_S)
    claims = [claim_pending_batch(batch_id=batch.pk, now=late, lease_s=LEASE_S) for _ in range(3)]
    assert [entry.attempt if entry else None for entry in claims] == [2, None, None]
