"""The task that beat runs every other second."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from campaigns.schedules import firing


@shared_task(name="campaigns.start_what_is_due")
def start_what_is_due() -> None:
    """Start what was scheduled for now; two at once start it once."""
    firing.start_what_is_due(now=timezone.now())
