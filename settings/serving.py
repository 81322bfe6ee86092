"""What a web process does before its first caller comes, so that none of them waits for it."""

from __future__ import annotations

import gc
import sys
from typing import Final

from django.urls import get_resolver

from settings.celery import app

SWITCH_INTERVAL_S: Final = 0.0005
"""How long a thread that computes may keep Python from the others: a tenth of Python's own.

A short call lets go of Python at each statement, and would wait so long to have it back each time
that an estimate, a list or devices in bulk are answered beside it.
"""


def prepare() -> None:
    """Load what calls need, keep it out of garbage collection, and let short calls overtake.

    Neither Redis nor the database is asked for anything: a web server starts without them.
    """
    _ = get_resolver().url_patterns  # which imports the views
    _load_publishing()
    # A collection of all that is loaded would hold every call of this process up.
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(SWITCH_INTERVAL_S)


def _load_publishing() -> None:
    """Make what Celery makes at the first message: a tenth of a second of the first `/send/`."""
    app.loader.import_default_modules()
    app.finalize()
    with app.connection_for_write() as broker:  # named, not opened
        _ = broker.transport, app.backend, app.events
    _ = app.producer_pool
