from __future__ import annotations

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from campaigns import rescue, services, transitions
from campaigns.entry import Waiting
from campaigns.errors import IllegalMove, NothingToRetry
from campaigns.ledger import claim_pending_batch, settle_held_batch
from campaigns.models import DeliveryBatch, PushCampaign
from pushcore.outcomes import Outcome
from tests.campaigns.conftest import Broker, plan_of
from tests.cast import (
    LEASE_S,
    NOW,
    account,
    claim,
    make_campaign,
    make_devices,
    make_project,
    planned,
    seconds_later,
    settle_all,
    start_and_plan,
    states_of,
    status_of,
)
from tests.concurrency import run_at_once

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("batches_of_two")]


class TestCancelling:
    def test_skips_the_rest_and_the_account_stays_exact(self) -> None:
        campaign, [sent, under_way, waiting, *_] = planned(10)
        settle_all(sent, Outcome.SUCCESS)
        entry = claim(under_way)
        retrying = claim(waiting)
        retrying.retries[0] = Waiting(1, True, NOW.timestamp(), NOW.timestamp(), "TIMEOUT")
        retrying.retries[1] = Waiting(1, False, NOW.timestamp(), NOW.timestamp(), "NEVER_SENT")
        assert settle_held_batch(retrying, now=NOW)

        services.cancel_campaign(campaign_id=campaign.pk, now=seconds_later(1))
        assert (status_of(campaign), campaign.completed_at) == ("cancelled", seconds_later(1))
        assert campaign.remaining_count == 2  # under way: they settle

        entry.settle_pending(Outcome.SUCCESS, code="")
        assert settle_held_batch(entry, now=seconds_later(2))
        assert account(campaign) == {
            "total_recipients": 10,
            "sent_count": 5,
            "success_count": 4,
            "unknown_count": 1,
            "skipped_count": 5,
        }
        assert states_of(campaign) == ["settled"] * 3 + ["cancelled"] * 2

    def test_a_draft_needs_no_ledger(self) -> None:
        campaign = make_campaign()
        services.cancel_campaign(campaign_id=campaign.pk, now=NOW)
        assert status_of(campaign) == "cancelled"

    @pytest.mark.parametrize("status", ["cancelled", "failed"])
    def test_what_has_ended_is_refused(self, status: str) -> None:
        campaign = make_campaign()
        PushCampaign.objects.update(status=status)
        with pytest.raises(IllegalMove) as refusal:
            services.cancel_campaign(campaign_id=campaign.pk, now=NOW)
        assert refusal.value.allowed == []

    @pytest.mark.django_db(transaction=True)
    def test_while_workers_claim_and_settle_loses_nobody(self, broker: Broker) -> None:
        campaign, batches = planned(40)
        queue = list(batches)

        def work_or_cancel() -> None:
            while True:
                try:
                    batch = queue.pop()
                except IndexError:
                    return
                if len(queue) == 12:
                    services.cancel_campaign(campaign_id=campaign.pk, now=NOW)
                entry = claim_pending_batch(batch_id=batch.pk, now=NOW, lease_s=LEASE_S)
                if entry is not None:
                    entry.settle_device(0, Outcome.SUCCESS)
                    assert settle_held_batch(entry, now=NOW)

        run_at_once(4, work_or_cancel)
        rescue.rescue_all(now=seconds_later(1))
        campaign.refresh_from_db()
        assert (campaign.status, campaign.remaining_count) == ("cancelled", 0)
        assert campaign.success_count >= 1
        assert campaign.skipped_count == 40 - campaign.success_count


def completed_with_failures() -> tuple[PushCampaign, DeliveryBatch]:
    """Complete a campaign in which one device each was reached, refused, dead and unknown."""
    return completed_with(Outcome.SUCCESS, Outcome.FAILED, Outcome.INVALID_TOKEN, Outcome.UNKNOWN)


def completed_with(*outcomes: Outcome) -> tuple[PushCampaign, DeliveryBatch]:
    make_devices(make_project(), len(outcomes))
    campaign = make_campaign()
    [batch] = start_and_plan(campaign)
    entry = claim(batch)
    for place, outcome in enumerate(outcomes):
        entry.settle_device(place, outcome, code="" if place == 0 else "WHY")
    assert settle_held_batch(entry, now=NOW)
    transitions.complete_if_settled(campaign_id=campaign.pk, now=NOW)
    return campaign, batch


class TestRetryingWhatFailed:
    @pytest.fixture(autouse=True)
    def one_batch(self, settings: Settings, batches_of_two: None) -> None:
        settings.BATCH_SIZE = 4

    def test_sends_to_the_refused_only(
        self, broker: Broker, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        campaign, batch = completed_with_failures()
        with django_capture_on_commit_callbacks(execute=True):
            assert services.retry_failed(campaign_id=campaign.pk) == 1
        assert (status_of(campaign), campaign.completed_at) == ("processing", None)
        assert broker.take_all("default") == [plan_of(campaign)]
        assert account(campaign) == {
            "total_recipients": 4,
            "sent_count": 3,
            "success_count": 1,
            "failure_count": 1,
            "invalid_count": 1,
            "unknown_count": 1,
        }
        entry = claim(batch)
        assert (entry.due(NOW), entry.attempt) == ([1], 2)
        entry.settle_pending(Outcome.SUCCESS, code="")
        assert settle_held_batch(entry, now=NOW)
        assert account(campaign)["success_count"] == 2

    def test_takes_the_place_of_nobody_that_is_settled(self) -> None:
        campaign, batch = completed_with_failures()
        services.retry_failed(campaign_id=campaign.pk)
        batch.refresh_from_db()
        assert batch.outcomes == [1, Outcome.PENDING, 2, 4]
        assert batch.errors == {"2": {"code": "WHY"}, "3": {"code": "WHY"}}

    def test_of_a_campaign_that_runs_is_refused(self) -> None:
        campaign, _ = planned(2)
        with pytest.raises(IllegalMove) as refusal:
            services.retry_failed(campaign_id=campaign.pk)
        assert refusal.value.allowed == ["cancel", "pause"]

    def test_is_refused_where_nothing_failed_but_for_dead_addresses(self) -> None:
        campaign, _ = completed_with(Outcome.SUCCESS, Outcome.INVALID_TOKEN, Outcome.UNKNOWN)
        with pytest.raises(NothingToRetry, match="nothing to retry"):
            services.retry_failed(campaign_id=campaign.pk)
        assert status_of(campaign) == "completed"

    @pytest.mark.django_db(transaction=True)
    def test_twice_at_once_takes_each_device_back_once(self, broker: Broker) -> None:
        campaign, _ = completed_with_failures()

        def retry() -> int | None:
            try:
                return services.retry_failed(campaign_id=campaign.pk)
            except IllegalMove:
                return None

        answers = run_at_once(4, retry)
        assert sorted(answers, key=str) == [1, None, None, None]
        assert account(campaign)["failure_count"] == 1
