from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from devices.models import DeviceImport
from devices.segments.models import UserList
from devices.uploads import forget_old_files
from tests.cast import NOW

pytestmark = pytest.mark.usefixtures("import_folder")


def put(folder: Path, name: str, *, age: timedelta) -> None:
    """Leave a file that was last touched so long before `NOW`."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(b"")
    touched_at = (NOW - age).timestamp()
    os.utime(path, (touched_at, touched_at))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_files_of_imports_and_lists_never_meet(import_folder: Path) -> None:
    paths = [
        path
        for one in (DeviceImport(pk=7), UserList(pk=7))
        for path in (one.file_path, one.rejects_path)
    ]
    assert [path.relative_to(import_folder).name for path in paths] == [
        *("7.upload", "7.rejects.csv", "list-7.upload", "list-7.rejects.csv"),
    ]


def test_what_nobody_has_touched_for_too_long_is_deleted(
    import_folder: Path, settings: Settings
) -> None:
    settings.UPLOADS_KEPT_DAYS = 5
    for days in (4, 6):
        for name in ("rejects.csv", "upload"):
            put(import_folder, f"{days}.{name}", age=timedelta(days=days))
    for hours in (23, 25):
        put(import_folder, f"{hours}.part", age=timedelta(hours=hours))
    for name in ("exported.csv", "somebody's own.txt"):
        put(import_folder, name, age=timedelta(days=900))
    assert forget_old_files(now=NOW) == 3
    assert names_in(import_folder) == [
        *("23.part", "4.rejects.csv", "4.upload", "exported.csv", "somebody's own.txt"),
    ]


def test_a_folder_that_was_never_used_is_no_trouble(tmp_path: Path, settings: Settings) -> None:
    settings.IMPORT_FOLDER = str(tmp_path / "nowhere")
    assert forget_old_files(now=NOW) == 0
