"""Celery's tasks: each is one call into the domain, and a hint that may come twice or never."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from devices import imports, uploads

_LONGEST_S = 6 * 3_600
"""A file of 100 million rows on a slow disk; the ordinary limit is for batches."""


@shared_task(name="devices.run_import", soft_time_limit=_LONGEST_S, time_limit=_LONGEST_S + 60)
def run_import(import_id: int) -> None:
    """Import an uploaded file."""
    imports.run_import(import_id=import_id, clock=timezone.now)


@shared_task(name="devices.resume_imports")
def resume_imports() -> None:
    """Set going again the imports whose worker or message got lost."""
    imports.resume_imports(now=timezone.now())


@shared_task(name="devices.forget_old_files")
def forget_old_files() -> None:
    """Delete uploads and rejects that are kept no longer."""
    uploads.forget_old_files(now=timezone.now())
