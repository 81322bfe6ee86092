"""Celery's tasks: each is one call into the domain, and a hint that may come twice or never."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from campaigns.notifications import delivery, standstill

_SOFT_LIMIT_S = 45
"""A pass begins nothing after 20 s, and a try takes ten; a mail server may drip for longer."""


@shared_task(
    name="campaigns.send_admin_notification",
    soft_time_limit=_SOFT_LIMIT_S,
    time_limit=_SOFT_LIMIT_S + 10,
)
def send_admin_notification() -> None:
    """Tell people and programs what has happened."""
    delivery.deliver_due(clock=timezone.now)


@shared_task(name="campaigns.watch_campaigns")
def watch_campaigns() -> None:
    """Look for campaigns that stand still."""
    standstill.watch_campaigns(now=timezone.now())
