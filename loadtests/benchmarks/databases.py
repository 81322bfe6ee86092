"""A database that a benchmark has for itself."""

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
