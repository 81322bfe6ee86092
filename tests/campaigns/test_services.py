from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from campaigns import launch, rescue, services, transitions
from campaigns.errors import FieldsRefused, IllegalMove
from campaigns.ledger import settle_held_batch
from campaigns.models import DeliveryBatch, Lane, PushCampaign
from campaigns.states import BatchState
from pushcore.outcomes import Outcome
from tests.campaigns.conftest import Broker, Published, plan_of
from tests.cast import (
    LEASE_S,
    NOW,
    TASK_ID,
    account,
    claim,
    make_campaign,
    make_devices,
    make_project,
    planned,
    seconds_later,
    settle_all,
    states_of,
    status_of,
)
from tests.concurrency import run_at_once

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("batches_of_two")]


def start(campaign: PushCampaign, task_id: UUID = TASK_ID) -> PushCampaign:
    return services.start_campaign(campaign_id=campaign.pk, task_id=task_id, now=NOW)


class TestStarting:
    def test_a_campaign_asks_for_its_plan_on_commit(
        self, broker: Broker, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        make_devices(make_project(), 1)
        campaign = make_campaign(priority="high")
        with django_capture_on_commit_callbacks(execute=True):
            started = start(campaign)
            assert broker.take_all("high_priority") == []
        assert (started.status, started.task_id, started.started_at) == (
            "processing",
            TASK_ID,
            NOW,
        )
        assert broker.take_all("high_priority") == [plan_of(campaign)]
        assert Lane.objects.filter(campaign=campaign).count() == 1

    @pytest.mark.parametrize("status", ["processing", "paused", "cancelled", "failed"])
    def test_one_that_was_started_before_is_refused(self, status: str) -> None:
        campaign = make_campaign()
        PushCampaign.objects.filter(pk=campaign.pk).update(status=status)
        with pytest.raises(IllegalMove):
            start(campaign)
        assert status_of(campaign) == status
        assert not Lane.objects.exists()

    def test_a_message_that_became_illegal_since_is_refused(self) -> None:
        campaign = make_campaign(data_payload={"k": "v" * 4_096})
        with pytest.raises(FieldsRefused, match="bytes, FCM takes 4096"):
            start(campaign)
        assert status_of(campaign) == "draft"

    def test_one_that_is_not_there_says_so(self) -> None:
        with pytest.raises(PushCampaign.DoesNotExist):
            services.start_campaign(campaign_id=0, task_id=TASK_ID, now=NOW)

    @pytest.mark.django_db(transaction=True)
    def test_fifty_times_at_once_starts_it_once(self, broker: Broker) -> None:
        make_devices(make_project(), 3)
        campaign = make_campaign()

        def try_to_start() -> UUID | list[str]:
            task_id = uuid4()
            try:
                start(campaign, task_id)
            except IllegalMove as refusal:
                return refusal.allowed
            return task_id

        answers = run_at_once(50, try_to_start)
        [winner] = [answer for answer in answers if isinstance(answer, UUID)]
        campaign.refresh_from_db()
        assert (campaign.status, campaign.task_id) == ("processing", winner)
        assert answers.count(["cancel", "pause"]) == 49
        assert broker.take_all("default") == [plan_of(campaign)]
        assert Lane.objects.count() == 1

    @pytest.mark.django_db(transaction=True)
    def test_while_the_broker_is_away_leaves_the_rest_to_the_rescue(
        self, broker: Broker, monkeypatch: pytest.MonkeyPatch, broker_is_away: None
    ) -> None:
        make_devices(make_project(), 3)
        campaign = make_campaign()
        assert start(campaign).status == "processing"
        assert broker.take_all("default") == []
        monkeypatch.undo()  # the broker is back
        rescue.rescue_all(now=seconds_later(10))
        assert broker.take_all("default") == [plan_of(campaign)]


def test_an_empty_audience_completes_at_once_with_zeroes(
    broker: Broker, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    campaign = make_campaign()
    start(campaign)
    launch.plan_and_dispatch(campaign_id=campaign.pk, clock=lambda: seconds_later(1))
    assert (status_of(campaign), campaign.completed_at) == ("completed", seconds_later(1))
    assert account(campaign) == {}


class TestPausing:
    def test_keeps_what_is_under_way_and_stops_the_rest(self) -> None:
        campaign, [first, _] = planned(4)
        entry = claim(first)
        services.pause_campaign(campaign_id=campaign.pk)
        entry.settle_pending(Outcome.SUCCESS, code="")
        assert settle_held_batch(entry, now=NOW)
        assert (status_of(campaign), campaign.status_reason) == ("paused", "paused by hand")
        assert states_of(campaign) == ["settled", "pending"]
        assert account(campaign) == {
            "total_recipients": 4,
            "sent_count": 2,
            "success_count": 2,
        }

    @pytest.mark.parametrize(
        ("status", "allowed"),
        [("draft", ["cancel", "schedule", "send"]), ("paused", ["cancel", "resume"])],
    )
    def test_what_is_not_being_sent_is_refused(self, status: str, allowed: list[str]) -> None:
        campaign = make_campaign()
        PushCampaign.objects.update(status=status)
        with pytest.raises(IllegalMove) as refusal:
            services.pause_campaign(campaign_id=campaign.pk)
        assert refusal.value.allowed == allowed
        assert status_of(campaign) == status


class TestResuming:
    def test_sends_only_what_is_unsettled(
        self, broker: Broker, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        campaign, [first, second] = planned(4)
        settle_all(first, Outcome.SUCCESS)
        rescue.rescue_all(now=NOW)
        services.pause_campaign(campaign_id=campaign.pk)
        broker.lose_everything()
        with django_capture_on_commit_callbacks(execute=True):
            services.resume_campaign(campaign_id=campaign.pk)
        assert (status_of(campaign), campaign.status_reason) == ("processing", "")
        assert broker.take_all("default") == [plan_of(campaign)]
        launch.plan_and_dispatch(campaign_id=campaign.pk, clock=lambda: seconds_later(1))
        assert broker.take_all("default") == [Published("send_push_batch", [second.pk])]

    def test_clears_what_held_the_campaign_up(self) -> None:
        campaign, [batch] = planned(2)
        transitions.halt_project(project_id=batch.project_id, reason="API disabled")
        assert status_of(campaign) == "paused"
        services.resume_campaign(campaign_id=campaign.pk)
        assert claim(batch).attempt == 1

    def test_what_is_not_paused_is_refused_and_changes_nothing(self) -> None:
        campaign, _ = planned(2)
        DeliveryBatch.objects.update(dispatched_at=NOW, dispatches=1)
        Lane.objects.update(halt_reason="API disabled")
        with pytest.raises(IllegalMove) as refusal:
            services.resume_campaign(campaign_id=campaign.pk)
        assert refusal.value.allowed == ["cancel", "pause"]
        assert DeliveryBatch.objects.get().dispatched_at == NOW
        assert Lane.objects.get().halt_reason == "API disabled"


def test_a_worker_that_was_lost_before_a_pause_is_made_up_for_after_it(broker: Broker) -> None:
    campaign, [batch] = planned(2)
    claim(batch)
    services.pause_campaign(campaign_id=campaign.pk)
    rescue.rescue_all(now=seconds_later(LEASE_S))
    services.resume_campaign(campaign_id=campaign.pk)
    rescue.rescue_all(now=seconds_later(LEASE_S + 1))
    assert broker.take_all("default") == [Published("send_push_batch", [batch.pk])]
    assert states_of(campaign) == [BatchState.PENDING]
