"""Uploaded files: taken in, kept until a worker has read them, and forgotten in the end.

They lie in `settings.IMPORT_FOLDER`, which the web server and the workers share. What of a file was
rejected stays there beside it, for `settings.UPLOADS_KEPT_DAYS`.

    UploadRefused
    ├── UploadTooLarge   the file is larger than this installation takes
    └── UploadCutShort   the connection ended before the file did
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Final
from uuid import uuid4

from django.conf import settings
from django.db import models

_CHUNK: Final = 1 << 20
_PART: Final = "part"
_UPLOAD: Final = "upload"
_REJECTS: Final = "rejects.csv"
_PARTS_KEPT: Final = timedelta(days=1)
"""No upload takes longer: what is older is one whose web server ended."""


class UploadRefused(Exception):
    """The file cannot be taken; nothing of it is kept."""


class UploadTooLarge(UploadRefused):
    """The file is larger than this installation takes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The file is larger than {limit} bytes.")


class UploadCutShort(UploadRefused):
    """The connection ended before the file did."""

    def __init__(self, size: int, announced: int) -> None:
        super().__init__(f"Only {size} of {announced} bytes arrived.")


class Upload(models.Model):
    """A file that somebody uploaded, and how far it is read. What it is of says the subclass."""

    FILE_PREFIX = ""
    """Keeps the files of one kind apart from those of another."""

    failure = models.TextField(default="", db_default="", blank=True)
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    total_bytes = models.PositiveBigIntegerField()
    bytes_read = models.PositiveBigIntegerField(default=0, db_default=0)
    rows = models.PositiveBigIntegerField(default=0, db_default=0)
    rejected = models.PositiveBigIntegerField(default=0, db_default=0)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    @property
    def file_path(self) -> Path:
        """Where the file lies until it is read."""
        return self._path(_UPLOAD)

    @property
    def rejects_path(self) -> Path:
        """Where what was rejected of it lies, as CSV."""
        return self._path(_REJECTS)

    def _path(self, kind: str) -> Path:
        return Path(settings.IMPORT_FOLDER) / f"{self.FILE_PREFIX}{self.pk}.{kind}"


@contextmanager
def stored_upload(stream: IO[bytes], *, size: int) -> Iterator[Path]:
    """Store a file of `size` bytes; it is there in the `with` block, to be moved where it belongs.

    Raises:
        UploadTooLarge: it is larger than `settings.IMPORT_MAX_BYTES`; nothing is stored.
        UploadCutShort: not all of it arrived; nothing is stored.
    """
    if size > settings.IMPORT_MAX_BYTES:
        raise UploadTooLarge(settings.IMPORT_MAX_BYTES)
    folder = Path(settings.IMPORT_FOLDER)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = folder / f"{uuid4().hex}.{_PART}"
    try:
        _store(stream, part, size=size)
        yield part
    finally:
        part.unlink(missing_ok=True)


def forget_old_files(*, now: datetime) -> int:
    """Delete what nobody has touched in the folder for too long; return how many files.

    That takes uploads too, which lie so long only where no worker came for them, or where one was
    killed right between the end of its work and the deletion.
    """
    uploads_kept = timedelta(days=settings.UPLOADS_KEPT_DAYS)
    folder = Path(settings.IMPORT_FOLDER)
    deleted = 0
    for pattern, kept in (
        (f"*.{_PART}", _PARTS_KEPT),
        (f"*.{_UPLOAD}", uploads_kept),
        (f"*.{_REJECTS}", uploads_kept),
    ):
        for path in folder.glob(pattern):
            if _touched_at(path) < now - kept:
                path.unlink(missing_ok=True)
                deleted += 1
    return deleted


def _touched_at(path: Path) -> datetime:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
    except FileNotFoundError:  # somebody else has just deleted or moved it
        return datetime.max.replace(tzinfo=UTC)


def _store(stream: IO[bytes], path: Path, *, size: int) -> None:
    left = size
    with path.open("xb") as file:
        while left and (chunk := stream.read(min(left, _CHUNK))):
            left -= file.write(chunk)
        if left:
            raise UploadCutShort(size - left, size)
        file.flush()
        os.fsync(file.fileno())
