"""Celery's tasks: each is one call into the domain, and a hint that may come twice or never."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from devices.segments import lists, memberships

_LONGEST_S = 6 * 3_600
"""A hundred million rows on a slow disk; the ordinary limit is for batches."""


@shared_task(name="segments.read_list", soft_time_limit=_LONGEST_S, time_limit=_LONGEST_S + 60)
def read_list(list_id: int) -> None:
    """Read an uploaded list of user ids."""
    lists.read_list(list_id=list_id, clock=timezone.now)


@shared_task(name="segments.evaluate", soft_time_limit=_LONGEST_S, time_limit=_LONGEST_S + 60)
def evaluate(membership_id: int) -> None:
    """Evaluate a static segment."""
    memberships.evaluate(membership_id=membership_id, clock=timezone.now)


@shared_task(name="segments.resume")
def resume() -> None:
    """Set going again the lists and evaluations whose worker or message got lost."""
    now = timezone.now()
    lists.resume_lists(now=now)
    memberships.resume_evaluations(now=now)
