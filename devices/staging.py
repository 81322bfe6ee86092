"""A staging table: rows come in by COPY, and go to the devices range by range.

The table is unlogged: it need not survive a crash, and several connections see it, which a
temporary table would not allow. Ranges make each merge short: other writers never wait long. They
are pages in the file's order, because devices that stand together in a file mostly came together:
a merge then touches few of the devices' pages, where a range of digests would touch all of them,
and so would each range after it. That an address comes once is seen to before.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import datetime
from itertools import pairwise
from typing import IO, Any, Final, cast

import psycopg2
from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from devices.holding import hold_projects
from devices.merging import Merged, merge

COLUMNS: Final = (
    "project_id, platform, address_kind, language, country, timezone, app_version,"
    " user_id, address, tags, last_seen_at"
)
"""In the order in which `fill` takes them."""
DURABLE_LATER: Final = "SET LOCAL synchronous_commit = off"
"""For the transactions of an import: dropping the staging table waits for the disk, for them all.

The log is written in order: whatever is told of an import by a later commit is told of what lasts.
A server that crashes before loses the last moment's rows, and the import is run again anyway.
"""
_PREFIX: Final = "devices_staging_"
_CREATE: Final = """
CREATE UNLOGGED TABLE {name} (
  project_id bigint NOT NULL, platform text NOT NULL, address_kind text, language text,
  country text, timezone text, app_version text, user_id text NOT NULL, address text NOT NULL,
  tags jsonb, last_seen_at timestamptz,
  digest uuid GENERATED ALWAYS AS (pushcore_address_digest(address)) STORED
) WITH (autovacuum_enabled = false)
"""
# The table is filled once, by one COPY: rows lie in the file's order, and the last one wins.
_DROP_REPEATED: Final = """
WITH repeated AS (
  SELECT digest, project_id, max(ctid) AS last FROM {name}
   GROUP BY digest, project_id HAVING count(*) > 1
)
DELETE FROM {name} AS row USING repeated
 WHERE row.digest = repeated.digest AND row.project_id = repeated.project_id
   AND row.ctid <> repeated.last
"""
_RANGE: Final = """
SELECT digest, project_id, user_id, address, address_kind, platform,
       language, country, timezone, app_version, tags, last_seen_at
  FROM {name} WHERE ctid >= %(first)s::tid AND ctid < %(after)s::tid
"""
_PAGES: Final = "SELECT pg_relation_size(%s) / current_setting('block_size')::int"
_LOCK: Final = "SELECT pg_try_advisory_lock(hashtext(%s), hashtext(%s))"
_UNLOCK: Final = "SELECT pg_advisory_unlock(hashtext(%s), hashtext(%s))"
_RANGE_ROWS: Final = 50_000
"""Rows per merge: half a second's, during which others may wait for a device."""
_MERGERS: Final = 2
"""Connections that merge at a time; more gain little, as they meet at the same indexes."""


class Staging:
    """A table of this process's own, there as long as the `with` block; its connection too.

    When the block has ended, all that was merged, and copied beside it, outlives a crash.
    """

    def __init__(self) -> None:
        self._name = f"{_PREFIX}{uuid.uuid4().hex}"
        self._connection: BaseDatabaseWrapper = connection.copy()
        self.rows = 0
        self._repeated = 0

    def __enter__(self) -> Staging:
        # The lock tells others that the table's owner lives; it ends with the connection.
        self._execute(_LOCK, [_PREFIX, self._name])
        self._drop_orphans()
        self._execute(_CREATE.format(name=self._name))
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._execute(f"DROP TABLE IF EXISTS {self._name}")
        finally:
            self._connection.close()

    def fill(self, chunks: Iterator[str]) -> None:
        """Take rows in COPY's text format, once; whatever `chunks` raises comes out again."""
        statement = f"COPY {self._name} ({COLUMNS}) FROM STDIN"
        own = self._connection
        with own.wrap_database_errors, own.cursor() as cursor:
            self.rows = Feed(chunks).copy_into(cursor, statement)
            cursor.execute("SET work_mem = '64MB'")
            cursor.execute(_DROP_REPEATED.format(name=self._name))
            self._repeated = int(cursor.rowcount)

    def merge(
        self,
        *,
        now: datetime,
        projects: Collection[int],
        on_progress: Callable[[Merged], None],
    ) -> Merged:
        """Merge everything into the devices; `on_progress` hears the sum after each range.

        `projects` are the keys of those that rows can belong to.

        Each range is a transaction of its own: what is merged stays, whatever befalls the rest.
        """
        done = Merged(repeated=self._repeated)
        with ThreadPoolExecutor(_MERGERS) as pool:
            merges = [
                pool.submit(self._merge_range, first, after, now=now, projects=projects)
                for first, after in self._ranges()
            ]
            try:
                for merged in as_completed(merges):
                    done += merged.result()
                    on_progress(done)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return done

    def _merge_range(
        self, first: str, after: str, *, now: datetime, projects: Collection[int]
    ) -> Merged:
        """Merge one range; runs in a thread, on a connection of its own."""
        source = _RANGE.format(name=self._name)
        bounds = {"first": first, "after": after}
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(DURABLE_LATER)
                hold_projects(cursor, projects)
                return merge(cursor, source=source, parameters=bounds, now=now, is_large=True)
        finally:
            connection.close()

    def _ranges(self) -> list[tuple[str, str]]:
        """Return where each range begins, and where it has ended."""
        if not self.rows:
            return []
        [(pages,)] = self._execute(_PAGES, [self._name])
        step = max(1, pages * _RANGE_ROWS // self.rows)
        places = [f"({page},0)" for page in (*range(0, pages, step), pages)]
        return list(pairwise(places))

    def _drop_orphans(self) -> None:
        """Drop the tables of processes that were killed."""
        tables = self._execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND starts_with(relname, %s)"
            " AND relname <> %s",
            [_PREFIX, self._name],
        )
        for [name] in tables:
            if self._execute(_LOCK, [_PREFIX, name]) == [(True,)]:
                self._execute(f"DROP TABLE IF EXISTS {name}")
                self._execute(_UNLOCK, [_PREFIX, name])

    def _execute(self, statement: str, parameters: Sequence[str] = ()) -> list[Any]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []


class Feed:
    """Chunks of text or of bytes as the file that psycopg2 reads for COPY."""

    def __init__(self, chunks: Iterator[str | bytes]) -> None:
        self._chunks = chunks
        self._error: BaseException | None = None

    def copy_into(self, cursor: CursorWrapper, statement: str) -> int:
        """Let a COPY read it; return how many rows there were.

        Whatever the chunks raise comes out again: psycopg2 itself tells of it only in words.
        """
        try:
            cursor.copy_expert(statement, cast("IO[str]", self))
        except psycopg2.Error:
            if self._error is None:
                raise
        if self._error is not None:
            raise self._error
        return int(cursor.rowcount)

    def read(self, _size: int) -> str | bytes:
        """Return the next chunk, which may be longer than asked for; an empty one at the end."""
        try:
            for chunk in self._chunks:
                if chunk:
                    return chunk
        except BaseException as error:
            self._error = error
            raise
        return ""
