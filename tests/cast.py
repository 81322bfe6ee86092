"""The cast of the domain's tests: a project, its devices, campaigns, and the people."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from campaigns import planner, rescue, transitions
from campaigns.entry import Entry
from campaigns.ledger import claim_pending_batch, settle_held_batch
from campaigns.models import DeliveryBatch, Lane, PushCampaign, RescueRun
from devices.models import DeviceToken, FcmProject
from pushcore.outcomes import Outcome

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TASK_ID = UUID("00000000-0000-4000-8000-000000000001")
LEASE_S = 300.0

_numbers = itertools.count(1)


def seconds_later(seconds: float) -> datetime:
    """Return the moment so long after `NOW`."""
    return NOW + timedelta(seconds=seconds)


def make_project(**fields: Any) -> FcmProject:
    number = next(_numbers)
    defaults = {"project_id": f"project-{number}", "credentials": "env:FCM_KEY"}
    return FcmProject.objects.create(**defaults | fields)


def make_devices(project: FcmProject, count: int, **fields: Any) -> list[DeviceToken]:
    """Create active Android devices, one per user, in the order of their ids."""
    defaults = {"platform": "android"} | fields
    return DeviceToken.objects.bulk_create(
        DeviceToken(
            project=project,
            **{"user_id": f"user-{number}", "address": f"address-{number}"} | defaults,
        )
        for number in itertools.islice(_numbers, count)
    )


def make_campaign(**fields: Any) -> PushCampaign:
    defaults = {"title": "Sale", "message": "Half price today.", "target_all": True}
    campaign = PushCampaign.objects.create(**defaults | fields)
    campaign.refresh_from_db()
    return campaign


def start_and_plan(campaign: PushCampaign, *, now: datetime = NOW) -> list[DeliveryBatch]:
    """Start a campaign and plan all of it, without publishing anything."""
    transitions.start(campaign_id=campaign.pk, task_id=TASK_ID, now=now)
    planner.open_lanes(campaign=campaign, now=now)
    for lane in Lane.objects.filter(campaign=campaign):
        while planner.plan_next_slice(campaign=campaign, lane_id=lane.pk, now=now):
            pass
    return list(DeliveryBatch.objects.filter(campaign=campaign).order_by("project_id", "seq"))


def planned(devices: int, **fields: Any) -> tuple[PushCampaign, list[DeliveryBatch]]:
    """Return a campaign to so many devices of a new project, started and planned."""
    make_devices(make_project(), devices)
    campaign = make_campaign(**fields)
    return campaign, start_and_plan(campaign)


def status_of(campaign: PushCampaign) -> str:
    """Return the campaign's status as it stands in the database."""
    campaign.refresh_from_db()
    return campaign.status


def told_of(campaign: PushCampaign) -> list[str]:
    """Return what people are told of the campaign, in the order of its happening."""
    return list(campaign.notices.order_by("pk").values_list("event", flat=True))


def states_of(campaign: PushCampaign) -> list[str]:
    """Return the states of the campaign's batches, in the order of the plan."""
    rows = DeliveryBatch.objects.filter(campaign=campaign).order_by("seq")
    return list(rows.values_list("state", flat=True))


def reloaded(batch: DeliveryBatch) -> DeliveryBatch:
    """Return the batch as it stands in the database."""
    return DeliveryBatch.objects.get(pk=batch.pk)


def rescue_after(seconds: float) -> None:
    """Let the rescue look so long after `NOW`, as one that has been looking all the time."""
    RescueRun.objects.update_or_create(pk=1, defaults={"ran_at": seconds_later(seconds)})
    rescue.rescue_all(now=seconds_later(seconds))


def claim(batch: DeliveryBatch, *, now: datetime = NOW) -> Entry:
    """Claim a batch that is sure to be free."""
    entry = claim_pending_batch(batch_id=batch.pk, now=now, lease_s=LEASE_S)
    assert entry is not None
    return entry


def settle_all(batch: DeliveryBatch, outcome: Outcome, *, now: datetime = NOW) -> None:
    """Claim a batch and settle every device of it alike."""
    entry = claim(batch, now=now)
    entry.settle_pending(outcome, code="" if outcome == Outcome.SUCCESS else "TEST")
    assert settle_held_batch(entry, now=now)


def account(campaign: PushCampaign) -> dict[str, int]:
    """Return the campaign's counters as they stand in the database, zeroes left out."""
    campaign.refresh_from_db()
    names = ["total_recipients", "sent_count", "success_count", "failure_count"]
    names += ["invalid_count", "unknown_count", "skipped_count"]
    return {name: value for name in names if (value := getattr(campaign, name))}
