"""PostgreSQL: the schema, the settings that truth depends on, and room for connections."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from campaigns.doctor.findings import Finding, critical, ok, warning

_SMALL_BUFFERS: Final = 128 << 20
"""PostgreSQL's own default, which is for a laptop."""
_FULL: Final = 0.8
_IDLE_FOR_S: Final = 300


@lru_cache(maxsize=1)
def _migrations_of_the_code() -> frozenset[tuple[str, str]]:
    loader = MigrationLoader(None)
    replaced = {one for each in loader.disk_migrations.values() for one in each.replaces}
    return frozenset(loader.disk_migrations.keys() - replaced)


def check_migrations(_now: datetime) -> Sequence[Finding]:
    """Look whether the database is of this version."""
    applied = MigrationRecorder(connection).applied_migrations()
    missing = sorted(_migrations_of_the_code() - applied.keys())
    if not missing:
        return [ok("All migrations are applied.")]
    names = ", ".join(f"{app}.{name}" for app, name in missing[:3])
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    return [critical(f"Migrations are not applied: {names}{more}.", "Run: manage.py migrate")]


_SETTINGS: Final = """
SELECT name, setting, unit FROM pg_settings WHERE name IN
    ('fsync', 'full_page_writes', 'synchronous_commit', 'shared_buffers', 'autovacuum')
"""


def check_settings(_now: datetime) -> Sequence[Finding]:
    """Look at the settings by which PostgreSQL may forget, or is slow."""
    with connection.cursor() as cursor:
        cursor.execute(_SETTINGS)
        rows = cursor.fetchall()
    values = {name: setting for name, setting, _ in rows}
    found = [
        critical(f"PostgreSQL runs with {name} off: a crash may destroy it.", f"Set {name} = on.")
        for name in ("fsync", "full_page_writes")
        if values[name] == "off"
    ]
    if values["synchronous_commit"] == "off":
        found.append(
            warning(
                "synchronous_commit is off: a crash of PostgreSQL forgets its last moment.",
                "Set synchronous_commit = on, or devices of that moment may be sent to twice.",
            )
        )
    if values["autovacuum"] == "off":
        found.append(
            warning("autovacuum is off: tables grow and slow down.", "Set autovacuum = on.")
        )
    buffers = int(values["shared_buffers"]) * 8_192
    if buffers < _SMALL_BUFFERS:
        found.append(
            warning(
                f"shared_buffers are {buffers >> 20} MiB.",
                "Set shared_buffers to a quarter of the server's memory.",
            )
        )
    return found or [ok(f"Durable; shared_buffers are {buffers >> 20:,} MiB.")]


_CONNECTIONS: Final = """
SELECT count(*) FILTER (WHERE backend_type = 'client backend'),
       count(*) FILTER (WHERE state LIKE 'idle in transaction%%'
                          AND state_change < now() - make_interval(secs => %s)),
       current_setting('max_connections')::int
           - current_setting('superuser_reserved_connections')::int
  FROM pg_stat_activity
"""


def check_connections(_now: datetime) -> Sequence[Finding]:
    """Look whether there is room for connections, and whether one holds old locks."""
    with connection.cursor() as cursor:
        cursor.execute(_CONNECTIONS, [_IDLE_FOR_S])
        used, idle, most = cursor.fetchone() or (0, 0, 0)
    title = f"{used} of {most} connections are in use."
    found = []
    if used >= _FULL * most:
        found.append(warning(title, "Raise max_connections, or put PgBouncer before PostgreSQL."))
    if idle:
        found.append(
            warning(
                f"{idle} transactions have been idle for {_IDLE_FOR_S // 60} minutes.",
                "Find them in pg_stat_activity; they hold locks and keep dead rows.",
            )
        )
    return found or [ok(title)]
