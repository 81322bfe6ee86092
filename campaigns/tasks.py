"""Celery's tasks: each is one call into the domain, and a hint that may come twice or never."""

from __future__ import annotations

import time

from celery import shared_task
from celery.signals import before_task_publish, worker_shutting_down
from django.utils import timezone

from campaigns import audit, dispatch, launch, rescue, sending, shutdown


@worker_shutting_down.connect
def leave(**_: object) -> None:
    """Give back what has not started, once the worker is told to leave."""
    shutdown.begin()


@before_task_publish.connect
def stamp(headers: dict[str, object] | None = None, **_: object) -> None:
    """Write on each message when it was published: the doctor looks how long the next one waits."""
    if headers is not None:
        headers["published_at"] = time.time()


@shared_task(name="campaigns.execute_push_campaign")
def execute_push_campaign(campaign_id: int) -> None:
    """Plan the campaign's ledger and publish it wave by wave."""
    launch.plan_and_dispatch(campaign_id=campaign_id, clock=timezone.now)


@shared_task(name="campaigns.send_push_batch")
def send_push_batch(batch_id: int) -> None:
    """Send this batch or another: claim, pace, send, settle. Never fails: the ledger says all."""
    sending.send_batch(batch_id=batch_id, clock=timezone.now)


@shared_task(name="campaigns.aggregate_campaign_results")
def aggregate_campaign_results(campaign_id: int) -> None:
    """Go on after a wave: publish the next ones, or complete the campaign."""
    dispatch.continue_campaign(campaign_id=campaign_id, now=timezone.now())


@shared_task(name="campaigns.rescue")
def rescue_campaigns() -> None:
    """Set going again whatever got lost on the way."""
    rescue.rescue_all(now=timezone.now())


@shared_task(name="campaigns.audit")
def audit_campaigns() -> None:
    """Hold the counters of what has changed lately against the ledger."""
    audit.audit_lately(now=timezone.now())
