from __future__ import annotations

import gc
import importlib
import sys

from celery.signals import worker_before_create_process


def test_worker_processes_collect_no_garbage_in_what_they_share() -> None:
    import settings.celery  # noqa: F401  what is tested: it connects to the signal

    gc.unfreeze()  # an entry point of the web server may have been imported by another test
    try:
        worker_before_create_process.send(sender=None)
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()


def test_worker_processes_share_the_parser_that_each_would_load_for_itself() -> None:
    import settings.celery  # noqa: F401

    importlib.import_module("cffi")  # as billiard does, where it is installed
    sys.modules.pop("cffi.cparser", None)
    try:
        worker_before_create_process.send(sender=None)
        assert "cffi.cparser" in sys.modules
    finally:
        gc.unfreeze()
