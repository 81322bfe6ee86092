"""Beat's scheduler: what is to be run when stands in the database, seeded from the settings.

django-celery-beat's, which lacks two things: it ends if PostgreSQL is away while it reads its
entries again, and it stands still after the clock was set back, for as long as that was.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime
from typing import cast

from celery.schedules import schedstate
from django.db import DatabaseError, InterfaceError, connection
from django_celery_beat.schedulers import DEFAULT_MAX_INTERVAL, DatabaseScheduler, ModelEntry

logger = logging.getLogger(__name__)


class Entry(ModelEntry):  # type: ignore[misc] # the library ships no types
    """One periodic task."""

    last_run_at: datetime

    def is_due(self) -> schedstate:
        """Tell whether it is to be sent now; counts from now where it ran in the future."""
        now = self._default_now()
        self.last_run_at = min(self.last_run_at, now)
        return cast("schedstate", super().is_due())


class Scheduler(DatabaseScheduler):  # type: ignore[misc] # as above
    """Sends what is due; outlives an absence of the database and a clock that is set back."""

    Entry = Entry
    _ticked_at = 0.0
    _ask_at = 0.0

    def all_as_schedule(self) -> dict[str, ModelEntry]:
        """Read the entries; what is known already goes on being sent while they can't be read."""
        try:
            return cast("dict[str, ModelEntry]", super().all_as_schedule())
        except (DatabaseError, InterfaceError):
            if self._schedule is None:
                raise
            connection.close()
            logger.warning("The database is away: beat goes on with the entries it knows.")
            return cast("dict[str, ModelEntry]", self._schedule)

    def schedule_changed(self) -> bool:
        """Tell whether somebody changed an entry; asks as often as beat looks up, at most.

        Asked with every message, it would write a traceback with each while the database is away.
        """
        now = time.monotonic()
        if now < self._ask_at:
            return False
        self._ask_at = now + DEFAULT_MAX_INTERVAL
        return bool(super().schedule_changed())

    def tick(self, *args: object, **kwargs: object) -> float:
        """Send what is due next; return in how many seconds to look again."""
        now = time.time()
        if now < self._ticked_at:
            self._heap = None  # made of moments that the clock had shown already
        self._ticked_at = now
        return float(super().tick(*args, **kwargs))
