"""A database that a benchmark has for itself, and a beginning that is the same for all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg2


@contextmanager
def own_database(url: str, *, name: str) -> Iterator[str]:
    """Make an empty database on the server that `url` names, and drop it at the end."""
    server = psycopg2.connect(url)
    server.autocommit = True
    try:
        with server.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            cursor.execute(f"CREATE DATABASE {name}")
            yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        server.close()


def checkpoint() -> None:
    """Have the environment's database write out all that changed before.

    So a measurement pays for its own writing only, and for all of it: each page that it changes
    goes into the log as a whole, whether something had changed it a moment before or long ago.
    """
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")
