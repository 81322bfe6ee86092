from __future__ import annotations

import gc

from celery.signals import worker_before_create_process


def test_worker_processes_collect_no_garbage_in_what_they_share() -> None:
    import settings.celery  # noqa: F401  what is tested: it connects to the signal

    gc.unfreeze()  # an entry point of the web server may have been imported by another test
    try:
        worker_before_create_process.send(sender=None)
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
