"""The harness's own way to the ledger: plain SQL, patient with a server that is being broken."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg2

PATIENCE_S = 60.0
Rows = list[tuple[Any, ...]]


class Database:
    """One connection in autocommit, made anew whenever it is lost."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg2.extensions.connection | None = None

    def rows(self, sql: str, *values: object) -> Rows:
        """Return the rows of a statement, [] where it gives none; runs it again after a loss.

        Raises:
            psycopg2.OperationalError: the server stayed away for `PATIENCE_S`.
        """
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self._rows(sql, values)
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                self.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def value(self, sql: str, *values: object) -> Any:
        """Return the first column of the first row, None where there is no row."""
        rows = self.rows(sql, *values)
        return rows[0][0] if rows else None

    def connect(self) -> psycopg2.extensions.connection:
        """Return a connection of the caller's own, to hold a transaction open in."""
        return psycopg2.connect(self._url, connect_timeout=5)

    def stream(self, sql: str, *values: object, size: int) -> Iterator[Rows]:
        """Yield the rows in chunks of `size` through a server-side cursor: memory stays flat."""
        with (
            contextlib.closing(self.connect()) as connection,
            connection.cursor(name="crash") as cursor,
        ):
            cursor.itersize = size
            cursor.execute(sql, values)
            while rows := cursor.fetchmany(size):
                yield rows

    def close(self) -> None:
        """Let the connection go; the next statement makes another."""
        if self._connection is not None:
            with contextlib.suppress(psycopg2.Error):
                self._connection.close()
        self._connection = None

    def _rows(self, sql: str, values: Sequence[object]) -> Rows:
        if self._connection is None:
            self._connection = self.connect()
            self._connection.autocommit = True
        with self._connection.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall() if cursor.description else []
