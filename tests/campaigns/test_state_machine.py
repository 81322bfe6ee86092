"""Random lives of a campaign: whatever happens in whatever order, the account stays exact.

Planner, dispatcher, ledger, rescue and services are the real ones, on real servers. Only the
workers' sending is played: its outcomes are drawn.
"""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager
from datetime import timedelta
from itertools import cycle, islice

import pytest
from django.db import transaction
from django.test import TestCase
from hypothesis import HealthCheck, event, strategies
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pytest_django import Settings

from campaigns import dispatch, engine, planner, preflight, rescue, services, transitions
from campaigns.errors import NothingToRetry
from campaigns.models import DeliveryBatch, Lane, PushCampaign
from campaigns.states import MOVES, STOPPED, BatchState, CampaignStatus, Move
from pushcore.outcomes import Outcome
from pushcore.retry import Guarantee
from tests.campaigns.conftest import Broker
from tests.campaigns.paces import forget_paces
from tests.campaigns.played_worker import LEASE_S, RETRY, UNSENT, Held, PlayedWorker
from tests.cast import NOW, TASK_ID, make_campaign, make_devices, make_project

LIVES = hypothesis_settings(
    max_examples=15,
    stateful_step_count=40,
    deadline=None,
    database=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
ENDED = STOPPED | {CampaignStatus.COMPLETED}

picks = strategies.integers(0, 999)
draws = strategies.sampled_from(
    [
        *(Outcome.SUCCESS, Outcome.SUCCESS, Outcome.INVALID_TOKEN, Outcome.UNKNOWN),
        *(Outcome.FAILED, Outcome.FAILED, RETRY, RETRY, UNSENT),
    ]
)


def on_commit() -> AbstractContextManager[object]:
    """Let what waits for its commit happen: the test's own transaction is never committed."""
    return TestCase.captureOnCommitCallbacks(execute=True)


class CampaignLife(RuleBasedStateMachine):
    broker: Broker
    guarantee: Guarantee
    # Both are given by the test, as Hypothesis makes the instances.

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.settled: dict[int, int] = {}
        """Each device's final outcome, once it has one."""
        self._world = transaction.atomic()
        self._world.__enter__()

    @initialize(
        devices=strategies.lists(strategies.integers(1, 12), min_size=1, max_size=2),
        expires_after_s=strategies.sampled_from([None, None, None, 90]),
        starts=strategies.sampled_from([True, True, True, False]),
    )
    def begin(
        self,
        devices: list[int],
        expires_after_s: int | None,
        starts: bool,
    ) -> None:
        self.broker.lose_everything()
        self.projects = [make_project() for _ in devices]
        self.platforms: dict[int, str] = {}
        for project, number in zip(self.projects, devices, strict=True):
            for platform in islice(cycle(["android", "android", "ios"]), number):
                [device] = make_devices(project, 1, platform=platform)
                self.platforms[device.pk] = platform
        self.audience = {*self.platforms}
        expires_at = expires_after_s and NOW + timedelta(seconds=expires_after_s)
        self.campaign = make_campaign(guarantee=self.guarantee.value, expires_at=expires_at)
        self.worker = PlayedWorker(self.broker, self.campaign)
        if starts:
            self.start()

    # --- What people do ---------------------------------------------------------------------

    @rule()
    def start(self) -> None:
        if self._may(Move.SEND):
            with on_commit():
                services.start_campaign(campaign_id=self.campaign.pk, task_id=TASK_ID, now=self.now)

    @precondition(lambda self: len(self.settled) > 1)
    @rule()
    def pause(self) -> None:
        if self._may(Move.PAUSE):
            services.pause_campaign(campaign_id=self.campaign.pk)

    @rule()
    def resume(self) -> None:
        if self._may(Move.RESUME):
            with on_commit():
                services.resume_campaign(campaign_id=self.campaign.pk)

    @precondition(lambda self: len(self.settled) > 3)
    @rule()
    def cancel(self) -> None:
        if self._may(Move.CANCEL):
            services.cancel_campaign(campaign_id=self.campaign.pk, now=self.now)

    @rule()
    def retry_failed(self) -> None:
        if not self._may(Move.RETRY_FAILED):
            return
        failed = [one for one, outcome in self.settled.items() if outcome == Outcome.FAILED]
        if not failed:
            with pytest.raises(NothingToRetry):
                services.retry_failed(campaign_id=self.campaign.pk)
            return
        with on_commit():
            assert services.retry_failed(campaign_id=self.campaign.pk) == len(failed)
        for device_id in failed:
            del self.settled[device_id]
            self.worker.maybe_sent[device_id] = 0  # refused: surely not delivered

    @rule()
    def register(self) -> None:
        """Somebody new registers; only a campaign that starts later is for them."""
        [device] = make_devices(self.projects[0], 1)
        self.platforms[device.pk] = device.platform
        if self._status() == CampaignStatus.DRAFT:
            self.audience.add(device.pk)

    # --- What workers do --------------------------------------------------------------------

    @rule(pick=picks)
    def plan_a_slice(self, pick: int) -> None:
        """A planner writes one slice, and dies."""
        if lane := self._lane(pick):
            planner.plan_next_slice(campaign=self.campaign, lane_id=lane.pk, now=self.now)

    @rule(messages=strategies.integers(1, 4))
    def receive(self, messages: int) -> None:
        for _ in range(messages):
            self.worker.receive(now=self.now)

    @rule(pick=picks)
    def receive_a_copy(self, pick: int) -> None:
        if batches := self._batches():
            self.worker.claim(batches[pick % len(batches)].pk, now=self.now)

    @precondition(lambda self: self.worker.held)
    @rule(pick=picks, drawn=strategies.tuples(draws, draws))
    def settle_one(self, pick: int, drawn: tuple[int, int]) -> None:
        """A holder settles: in time, or long after it was given up for lost."""
        self._settle(self.worker.held.pop(pick % len(self.worker.held)), drawn)

    @rule(pick=picks)
    def use_up_the_quota(self, pick: int) -> None:
        """From now on a project's messages serve others first."""
        engine.pacer_of(self.projects[pick % len(self.projects)]).penalise(60)

    @precondition(lambda self: self.worker.held)
    @rule(pick=picks)
    def die(self, pick: int) -> None:
        self.worker.held.pop(pick % len(self.worker.held))

    @precondition(lambda self: self.worker.held)
    @rule(drawn=strategies.tuples(draws, draws))
    def stall(self, drawn: tuple[int, int]) -> None:
        """Whoever holds a batch stops for longer than its lease, and goes on while others send."""
        stalled, self.worker.held = self.worker.held, []
        for _ in range(3):
            self.now += timedelta(seconds=LEASE_S / 2)
            rescue.rescue_all(now=self.now)
        self.receive(messages=4)
        for held in stalled:
            self._settle(held, drawn)

    @rule()
    def call_back(self) -> None:
        """A chord's callback comes: in time, too early, or once more."""
        dispatch.continue_campaign(campaign_id=self.campaign.pk, now=self.now)

    @precondition(lambda self: len(self.settled) > 1)
    @rule(pick=picks)
    def be_refused(self, pick: int) -> None:
        project = self.projects[pick % len(self.projects)]
        transitions.halt_project(project_id=project.pk, reason="refused")

    # --- What happens -----------------------------------------------------------------------

    @rule(seconds=strategies.sampled_from([1, 5, 9, 16]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def rescue(self) -> None:
        rescue.rescue_all(now=self.now)

    @rule()
    def lose_all_messages(self) -> None:
        self.broker.lose_everything()

    # --- What holds -------------------------------------------------------------------------

    @invariant()
    def everything_is_accounted_for(self) -> None:
        """The counters are those of the ledger; each device is in one batch; the settled stay."""
        self.campaign.refresh_from_db()
        outcomes: dict[int, int] = {}
        for batch in self._batches():
            mine = batch.outcomes or [Outcome.PENDING] * len(batch.device_ids)
            is_open = batch.state in (BatchState.PENDING, BatchState.SENDING)
            assert is_open == (Outcome.PENDING in mine)
            assert not outcomes.keys() & set(batch.device_ids)
            self._check_platforms(batch, mine)
            outcomes |= dict(zip(batch.device_ids, mine, strict=True))
        self._check_counters(Counter(outcomes.values()))
        final = {device_id: outcome for device_id, outcome in outcomes.items() if outcome}
        assert {device_id: final.get(device_id) for device_id in self.settled} == self.settled
        self.settled = final
        assert outcomes.keys() <= self.audience
        if self.campaign.status == CampaignStatus.COMPLETED:
            assert final.keys() == self.audience

    def _check_platforms(self, batch: DeliveryBatch, outcomes: list[int]) -> None:
        platforms = [self.platforms[device_id] for device_id in batch.device_ids]
        counted = Counter(zip(platforms, outcomes, strict=True))
        kept = {
            (platform, outcome): devices
            for platform, counts in batch.by_platform.items()
            for outcome, devices in enumerate(counts)
        }
        assert counted == Counter(kept)

    def _check_counters(self, counted: Counter[int]) -> None:
        campaign = self.campaign
        assert campaign.total_recipients == counted.total()
        assert campaign.success_count == counted[Outcome.SUCCESS]
        assert campaign.invalid_count == counted[Outcome.INVALID_TOKEN]
        assert campaign.failure_count == counted[Outcome.FAILED] + counted[Outcome.INVALID_TOKEN]
        assert campaign.unknown_count == counted[Outcome.UNKNOWN]
        assert campaign.skipped_count == counted[Outcome.SKIPPED]
        assert campaign.remaining_count == counted[Outcome.PENDING]

    def teardown(self) -> None:
        """Whatever happened: a rescue that goes on looking brings the campaign to its end."""
        try:
            if hasattr(self, "worker") and self._status() != CampaignStatus.DRAFT:
                self._live_to_the_end()
                self.retry_failed()
                self._live_to_the_end()
        finally:
            self.broker.lose_everything()
            forget_paces()
            transaction.set_rollback(True)
            self._world.__exit__(None, None, None)

    def _live_to_the_end(self) -> None:
        self.worker.held.clear()
        for step_s in [5] * 20 + [600] * 10:
            self.resume()
            self.now += timedelta(seconds=step_s)
            rescue.rescue_all(now=self.now)
            while self.worker.receive(now=self.now):
                while self.worker.held:
                    self._settle(self.worker.held.pop(), (Outcome.SUCCESS, Outcome.SUCCESS))
            self.everything_is_accounted_for()
            if self.campaign.status in ENDED and self.campaign.remaining_count == 0:
                break
        else:
            pytest.fail(f"still {self.campaign.status} with {self.campaign.remaining_count} left")
        event(f"ended {self.campaign.status}")

    def _settle(self, held: Held, drawn: tuple[int, int]) -> None:
        in_time = self.worker.settle(held, drawn, now=self.now)
        event("settled in time" if in_time else "settled too late")

    def _may(self, move: Move) -> bool:
        return self._status() in MOVES[move][0]

    def _status(self) -> str:
        return PushCampaign.objects.values_list("status", flat=True).get(pk=self.campaign.pk)

    def _batches(self) -> list[DeliveryBatch]:
        return list(DeliveryBatch.objects.filter(campaign=self.campaign).order_by("pk"))

    def _lane(self, pick: int) -> Lane | None:
        lanes = list(Lane.objects.filter(campaign=self.campaign).order_by("pk"))
        return lanes[pick % len(lanes)] if lanes else None


@pytest.mark.timeout(600)  # long only where it fails: a shorter life that fails too is looked for
@pytest.mark.django_db
@pytest.mark.parametrize("guarantee", list(Guarantee))
def test_whatever_happens_the_account_stays_exact(
    guarantee: Guarantee,
    broker: Broker,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.BATCH_SIZE = settings.WAVE_BATCHES = 2
    settings.LEASE_S = LEASE_S
    settings.STANDSTILL_S = 10
    monkeypatch.setattr(planner, "FIRST_SLICE_BATCHES", 1)
    monkeypatch.setattr(planner, "SLICE_BATCHES", 2)
    monkeypatch.setattr(preflight, "may_send", lambda *_, **__: True)
    monkeypatch.setattr(CampaignLife, "broker", broker, raising=False)
    monkeypatch.setattr(CampaignLife, "guarantee", guarantee, raising=False)
    run_state_machine_as_test(CampaignLife, settings=LIVES)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
