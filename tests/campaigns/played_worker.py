"""A worker whose sending is played: it claims and settles for real, the outcomes are given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from campaigns import launch
from campaigns.claiming import _running_lanes, claim_for_message
from campaigns.entry import Entry, Waiting
from campaigns.ledger import settle_held_batch
from campaigns.models import DeliveryBatch, PushCampaign
from campaigns.states import BatchState, CampaignStatus
from devices.models import DeviceToken
from pushcore.outcomes import Outcome
from pushcore.retry import Guarantee
from tests.campaigns.conftest import Broker

LEASE_S: Final = 15.0
RETRY: Final = -1
"""Given for a device that surely was not reached and is to be tried again."""
UNSENT: Final = -2
"""Given for a device that the worker did not get to."""


class Held(NamedTuple):
    """A claimed batch, and the places in it that are being sent."""

    entry: Entry
    places: list[int]


class PlayedWorker:
    """Takes a campaign's messages one by one; holds as many batches at once as it is told to.

    It sees for itself that nothing is claimed of a campaign that is not being sent, that under
    `at_most_once` nobody is claimed who may have been sent to, and that a settlement changes
    nothing exactly where the batch has been taken over.
    """

    def __init__(self, broker: Broker, campaign: PushCampaign) -> None:
        self._broker = broker
        self._campaign = campaign
        self.held: list[Held] = []
        self.maybe_sent: Counter[int] = Counter()
        """How many claims may have sent to each device."""

    def receive(self, *, now: datetime) -> bool:
        """Do what the next message asks for; return whether there was one."""
        message = self._broker.take("default")
        if message is not None and message.task == "execute_push_campaign":
            launch.plan_and_dispatch(campaign_id=self._campaign.pk, clock=lambda: now)
        elif message is not None and message.task == "send_push_batch":
            self.claim(message.args[0], now=now)
        return message is not None

    def claim(self, batch_id: int, *, now: datetime) -> None:
        """Claim the batch, or whatever its message is good for."""
        _running_lanes.cache_clear()  # read a second ago at most, and here the clock stands still
        entry = claim_for_message(batch_id=batch_id, now=now, lease_s=LEASE_S)
        if entry is None:
            return
        places = entry.due(now)
        self._campaign.refresh_from_db()
        assert self._campaign.status == CampaignStatus.PROCESSING
        for place in places:
            device_id = entry.device_ids[place]
            if self._campaign.guarantee == Guarantee.AT_MOST_ONCE:
                assert self.maybe_sent[device_id] == 0
            self.maybe_sent[device_id] += 1
        self.held.append(Held(entry, places))

    def settle(self, held: Held, outcomes: Sequence[int], *, now: datetime) -> bool:
        """Settle with these outcomes; return whether the worker still held the batch."""
        before = self._all_rows()
        entry = held.entry
        holds = DeliveryBatch.objects.filter(
            pk=entry.batch.pk, state=BatchState.SENDING, attempt=entry.attempt
        ).exists()
        unsent = _fill_in(held, outcomes, now=now)
        assert settle_held_batch(entry, now=now) is holds
        if holds:
            self.maybe_sent.subtract(unsent)
        else:
            assert self._all_rows() == before
        return holds

    def _all_rows(self) -> list[object]:
        campaigns = PushCampaign.objects.filter(pk=self._campaign.pk).values()
        batches = DeliveryBatch.objects.filter(campaign=self._campaign).order_by("pk").values()
        return [*campaigns, *batches]


def _fill_in(held: Held, outcomes: Sequence[int], *, now: datetime) -> list[int]:
    """Write the outcomes into the account; return the devices that surely got nothing."""
    entry, unsent = held.entry, []
    sent = {
        entry.device_ids[place]: max(outcome, 0)
        for place, outcome in zip(held.places, outcomes, strict=False)
    }
    devices = DeviceToken.objects.filter(pk__in=sent).values_list("pk", "platform")
    entry.sent = Counter((platform, sent[pk]) for pk, platform in devices)
    stamp = now.timestamp()
    for place, outcome in zip(held.places, outcomes, strict=False):
        if outcome >= 0:
            code = "" if outcome == Outcome.SUCCESS else "DRAWN"
            entry.settle_device(place, Outcome(outcome), code=code)
            continue
        unsent.append(entry.device_ids[place])
        if outcome == RETRY:
            entry.retries[place] = Waiting(1, False, stamp, stamp + 10, "UNAVAILABLE")
    return unsent
