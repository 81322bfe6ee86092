"""How fast files of devices are imported, next to bare COPY in the same run.

`python -m loadtests.benchmarks.imports --rows 1000000` prints one JSON object. It works in a
database of its own on the server that `DATABASE_URL` names, or on embedded ones, and drops it.
Four measurements: bare COPY of the same rows into a table of the same shape (indexes, constraints
and generated column; nothing checked), an import into the empty table, one of a file of which
90 % is there with another app version, and one of which 90 % is there unchanged.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import resource
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from loadtests.benchmarks.databases import checkpoint, own_database
from scripts.demo_run.leaving import leave_in_order_when_told
from scripts.embedded import running_servers

DATABASE = "pushcore_imports_benchmark"
HEADER = "user_id,address,platform,language,country,timezone,app_version\n"
PLACES = ("en,US,America/New_York", "de,DE,Europe/Berlin", "ru,RU,Europe/Moscow", "ja,JP,")
PLATFORMS = ("android",) * 14 + ("ios",) * 5 + ("web",)
SHAPE = """
CREATE TABLE bare (LIKE devices_devicetoken INCLUDING ALL);
ALTER TABLE bare ALTER project_id SET DEFAULT {project_id},
  ADD FOREIGN KEY (project_id) REFERENCES devices_fcmproject
"""
COPY = """
COPY bare (user_id, address, platform, language, country, timezone, app_version)
FROM STDIN (FORMAT csv, HEADER, FORCE_NOT_NULL (timezone))
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """Rows a second, and what the import's process needed at most."""

    rows: int
    bare_copy_rows_per_s: int
    import_rows_per_s: int
    share_of_bare_copy: float
    mostly_changed_rows_per_s: int
    mostly_unchanged_rows_per_s: int
    peak_rss_mb: float


def main() -> None:
    """Measure as the command line says; print the result as JSON."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.benchmarks.imports")
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    leave_in_order_when_told()
    with (
        running_servers("benchmark", owner="the benchmark of imports") as servers,
        own_database(servers.database_url, name=DATABASE) as url,
        tempfile.TemporaryDirectory() as folder,
    ):
        os.environ |= {
            "DATABASE_URL": url,
            "REDIS_URL": servers.redis_url,
            "DJANGO_SETTINGS_MODULE": "settings.dev",
        }
        print(json.dumps(asdict(measure(rows=rows, folder=Path(folder)))))


def measure(*, rows: int, folder: Path) -> Measured:
    """Measure on the database that the environment names: an empty one."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from devices.models import FcmProject

    call_command("migrate", verbosity=0)
    project = FcmProject.objects.create(project_id="benchmark", credentials="env:NONE")
    first = _write(folder / "first.csv", range(rows), version="1.0")
    shift = rows // 10
    changed = _write(folder / "changed.csv", range(shift, rows + shift), version="1.1")
    unchanged = _write(folder / "unchanged.csv", range(2 * shift, rows + 2 * shift), version="1.1")
    with connection.cursor() as cursor:
        cursor.execute(SHAPE.format(project_id=project.pk))
        began_at = time.monotonic()
        with first.open(encoding="ascii") as file:
            cursor.copy_expert(COPY, file)
        bare = rows / (time.monotonic() - began_at)
        cursor.execute("DROP TABLE bare")
    imported = [_import(path) for path in (first, changed, unchanged)]
    connection.close()
    return Measured(
        rows=rows,
        bare_copy_rows_per_s=round(bare),
        import_rows_per_s=round(imported[0]),
        share_of_bare_copy=round(imported[0] / bare, 2),
        mostly_changed_rows_per_s=round(imported[1]),
        mostly_unchanged_rows_per_s=round(imported[2]),
        peak_rss_mb=_peak_rss_mb(),
    )


def _import(path: Path) -> float:
    """Import the file; return the rows a second."""
    from devices.importing import import_devices
    from devices.reading import FileFormat

    checkpoint()
    began_at = time.monotonic()
    with path.open("rb") as source:
        done = import_devices(
            source=source,
            file_format=FileFormat.CSV,
            project=None,
            rejects=None,
            now=datetime.now(UTC),
        )
    if done.rejected:
        sys.exit(f"{done.rejected} rows were rejected: this measures nothing.")
    return done.rows / (time.monotonic() - began_at)


def _write(path: Path, numbers: range, *, version: str) -> Path:
    """Write devices; the same number is the same device in every file."""
    with path.open("w", encoding="ascii") as file:
        file.write(HEADER)
        for number in numbers:
            token = base64.urlsafe_b64encode(hashlib.shake_128(b"%d" % number).digest(117)).decode()
            address = f"{token[:22]}:APA91b{token[22:]}"
            place = PLACES[number % len(PLACES)]
            platform = PLATFORMS[number % len(PLATFORMS)]
            file.write(f"user{number * 9 // 10},{address},{platform},{place},{version}\n")
    return path


def _peak_rss_mb() -> float:
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)


if __name__ == "__main__":
    main()
