"""Free space where files and the database grow."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import DatabaseError, connection

from campaigns.doctor.findings import Finding, critical, ok, warning

_GIB: Final = 1 << 30
_LITTLE: Final = 0.10
_NOTHING: Final = 0.03


def check_disk(_now: datetime) -> Sequence[Finding]:
    """Look at the disks of uploads and, where it is this machine's, of the database."""
    uploads = _existing(Path(settings.IMPORT_FOLDER))
    found = [_space("uploads", uploads, harm="no file can be taken in")]
    size, folder = _database()
    if folder is None:
        found.append(ok(f"The database has {size / _GIB:,.1f} GiB; its disk is another machine's."))
    else:
        what = f"the database ({size / _GIB:,.1f} GiB)"
        found.append(_space(what, folder, harm="nothing is settled"))
    return found


def _existing(folder: Path) -> Path:
    """Return the folder, or what it will be made in."""
    return next(one for one in (folder, *folder.parents) if one.exists())


def _space(what: str, folder: Path, *, harm: str) -> Finding:
    total, _, free = shutil.disk_usage(folder)
    title = f"{free / _GIB:,.1f} of {total / _GIB:,.1f} GiB are free for {what}."
    if free < min(_NOTHING * total, _GIB):
        return critical(title, f"Make room at {folder}: without it {harm}.")
    if free < min(_LITTLE * total, 10 * _GIB):
        return warning(title, f"Make room at {folder}.")
    return ok(title)


def _database() -> tuple[int, Path | None]:
    """Return the database's size, and its folder where this process can see it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        row = cursor.fetchone()
        size = int(row[0]) if row else 0
        try:
            cursor.execute("SHOW data_directory")
            row = cursor.fetchone()
        except DatabaseError:  # for superusers, and who may read all settings
            return size, None
    folder = Path(str(row[0])) if row else None
    is_local = connection.settings_dict["HOST"] in {"", "127.0.0.1", "localhost", "::1"}
    try:
        return size, folder if folder and is_local and folder.exists() else None
    except PermissionError:
        return size, None
