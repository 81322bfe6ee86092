"""The first devices of all: copied straight to their place, where nobody can be there before them.

Going through a staging table costs half as much again. But COPY knows no second row for an address:
whatever is in the way (an address that comes again, one that is being registered meanwhile) rolls
back what its transaction held. That, and all that follows, is left to the staging table.

The rows of one address go through the same lane, in the order of the file: what is left is later
in the file than whatever was copied for its address, as the staging table needs it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from queue import Queue
from types import TracebackType
from typing import Final

import psycopg2
from django.db import connection, transaction
from psycopg2.errors import DeadlockDetected, LockNotAvailable

from devices.binary import COLUMNS, HEADER, TRAILER, Rows
from devices.columns import Line
from devices.holding import hold_projects
from devices.staging import DURABLE_LATER, Feed

_COPY: Final = f"COPY devices_devicetoken ({COLUMNS}) FROM STDIN (FORMAT binary)"
# Long before a deadlock would be looked for: it is always the import that gives way. Whatever is
# wrong is told by COPY itself, and not by the commit, which need not wait for the disk.
_BEGIN: Final = f"""
SET LOCAL lock_timeout = '200ms'; SET CONSTRAINTS ALL IMMEDIATE; {DURABLE_LATER}
"""
_IN_THE_WAY: Final = (psycopg2.IntegrityError, LockNotAvailable, DeadlockDetected)
_LANES: Final = 2
"""Connections that copy at a time; more gain little, as they meet at the same indexes."""
_LANE_ROWS: Final = 20_000
"""Rows per transaction: a fraction of a second's, during which others may wait for an address."""
_WAITING: Final = 16
"""Parts of a lane that may wait for it: memory stays flat."""
Part = list[Line]


class Direct:
    """Copies rows to the devices until something is in the way; its threads end with the `with`.

    `projects` are the keys of those that rows can belong to.
    """

    def __init__(self, *, now: datetime, projects: Collection[int]) -> None:
        self._lanes = [_Lane(now=now, projects=projects) for _ in range(_LANES)]
        self._pool = ThreadPoolExecutor(_LANES)
        self._runs: list[Future[None]] = []

    def __enter__(self) -> Direct:
        self._runs = [self._pool.submit(lane.run) for lane in self._lanes]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        for lane in self._lanes:
            lane.end(commit=kind is None)
        self._pool.shutdown()

    @property
    def is_open(self) -> bool:
        """Whether nothing was in the way so far."""
        return all(lane.is_open for lane in self._lanes)

    @property
    def created(self) -> int:
        """How many devices there are by now."""
        return sum(lane.created for lane in self._lanes)

    def put(self, lines: Sequence[Line]) -> None:
        """Take the file's next rows."""
        parts: list[Part] = [[] for _ in self._lanes]
        for line in lines:
            parts[hash(line[2]) % _LANES].append(line)
        for lane, part in zip(self._lanes, parts, strict=True):
            if part:
                lane.put(part)

    def end(self) -> list[Part]:
        """Wait for all that was taken to be copied; return what could not be."""
        for lane in self._lanes:
            lane.end(commit=True)
        for run in self._runs:
            run.result()
        return [part for lane in self._lanes for part in lane.left]


class _Aborted(Exception):
    """The file could not be read to its end."""


class _Lane:
    """One connection, in a thread of its own."""

    def __init__(self, *, now: datetime, projects: Collection[int]) -> None:
        self.is_open = True
        self.created = 0
        self.left: list[Part] = []
        """What was not copied, in the order of the file."""
        self._rows = Rows(now=now)
        self._projects = projects
        self._queue: Queue[Part | None] = Queue(_WAITING)
        self._has_ended = False
        """Whether the end was put; nothing is taken after it."""
        self._commits = True
        self._has_met_end = False

    def put(self, part: Part) -> None:
        """Take rows; waits where too many wait already."""
        self._queue.put(part)

    def end(self, *, commit: bool) -> None:
        """Let it end after what it has, or without the transaction that it has open."""
        if not self._has_ended:
            self._has_ended, self._commits = True, commit
            self._queue.put(None)

    def run(self) -> None:
        """Copy until the end, or until something is in the way."""
        try:
            # COPY bypasses Django, which tells its callers of errors by its own classes.
            with connection.wrap_database_errors:
                while self.is_open and not self._has_met_end:
                    self._copy()
        except _Aborted:
            pass
        finally:
            self.is_open = False
            connection.close()
            self.left += self._parts()  # whoever puts must not wait for ever

    def _copy(self) -> None:
        """Copy some rows in a transaction."""
        held: list[Part] = []
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(_BEGIN)
                hold_projects(cursor, self._projects)
                rows = Feed(self._taken(held)).copy_into(cursor, _COPY)
        except _IN_THE_WAY:
            self.is_open = False
            self.left += held
        else:
            self.created += rows

    def _taken(self, held: list[Part]) -> Iterator[bytes]:
        """Yield what one COPY reads."""
        yield HEADER
        rows = 0
        for part in self._parts():
            held.append(part)
            yield self._rows.bytes_of(part)
            rows += len(part)
            if rows >= _LANE_ROWS:
                break
        if self._has_met_end and not self._commits:
            raise _Aborted
        yield TRAILER

    def _parts(self) -> Iterator[Part]:
        """Yield what was put and comes yet, up to the end."""
        while not self._has_met_end:
            part = self._queue.get()
            if part is None:
                self._has_met_end = True
            else:
                yield part
