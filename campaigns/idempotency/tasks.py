"""Celery's tasks: each is one call into the domain."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from campaigns.idempotency import keys


@shared_task(name="idempotency.purge")
def purge() -> None:
    """Forget the answers that were kept long enough."""
    keys.purge_forgotten(now=timezone.now())
