"""Uploaded files of devices: taken in, and imported by a worker.

The upload lies in `settings.IMPORT_FOLDER`, which the web server and the workers share, until it is
imported; the rejects stay there. An advisory lock says that a worker is at it: it ends with the
worker, so that another can begin again, which is safe.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Final
from uuid import uuid4

from celery import current_app
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from kombu.exceptions import OperationalError

from devices.importing import Progress, import_devices
from devices.models import DeviceImport, FcmProject, ImportStatus
from devices.projects import UnknownProject
from devices.reading import FileFormat, FileRefused

logger = logging.getLogger(__name__)
MAX_ATTEMPTS: Final = 5
"""A file that breaks its worker so often is given up on."""
_IDLE: Final = timedelta(seconds=60)
_SAVE_EVERY: Final = timedelta(seconds=1)
_CHUNK: Final = 1 << 20
_LOCK: Final = "SELECT pg_try_advisory_lock(hashtext('devices_import'), %s)"


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


def upload_path(import_id: int) -> Path:
    """Return where an upload lies until it is imported."""
    return Path(settings.IMPORT_FOLDER) / f"{import_id}.upload"


def rejects_path(import_id: int) -> Path:
    """Return where an import's rejects lie, as CSV."""
    return Path(settings.IMPORT_FOLDER) / f"{import_id}.rejects.csv"


def take_upload(
    *,
    stream: IO[bytes],
    size: int,
    file_format: FileFormat,
    project: str | None,
    user_id: int | None,
    now: datetime,
) -> DeviceImport:
    """Store a file of `size` bytes and have it imported soon.

    Raises:
        UnknownProject: there is no such project; nothing is stored.
        UploadTooLarge: it is larger than `settings.IMPORT_MAX_BYTES`; nothing is stored.
        UploadCutShort: not all of it arrived; nothing is stored.
    """
    project_of_rows = FcmProject.objects.filter(project_id=project).first() if project else None
    if project and project_of_rows is None:
        raise UnknownProject(project)
    with stored_upload(stream, size=size) as part, transaction.atomic():
        record = DeviceImport.objects.create(
            file_format=file_format,
            project=project_of_rows,
            total_bytes=size,
            created_by_id=user_id,
            created_at=now,
            updated_at=now,
        )
        part.replace(upload_path(record.pk))
        transaction.on_commit(lambda: _publish(record.pk))
    return record


@contextmanager
def stored_upload(stream: IO[bytes], *, size: int) -> Iterator[Path]:
    """Store a file of `size` bytes; it is there in the `with` block, to be moved where it belongs.

    Raises:
        UploadTooLarge, UploadCutShort: as `take_upload`.
    """
    if size > settings.IMPORT_MAX_BYTES:
        raise UploadTooLarge(settings.IMPORT_MAX_BYTES)
    folder = Path(settings.IMPORT_FOLDER)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = folder / f"{uuid4().hex}.part"
    try:
        _store(stream, part, size=size)
        yield part
    finally:
        part.unlink(missing_ok=True)


def run_import(*, import_id: int, clock: Callable[[], datetime]) -> None:
    """Import an uploaded file, unless another worker is at it or it is done."""
    with sole_worker(import_id) as alone:
        if not alone:
            return
        claimed = DeviceImport.objects.filter(pk=import_id, finished_at=None).update(
            status=ImportStatus.RUNNING, attempts=F("attempts") + 1, updated_at=clock()
        )
        if not claimed:
            return
        record = DeviceImport.objects.select_related("project").get(pk=import_id)
        try:
            done = _import(record, clock)
        except FileNotFoundError:
            _finish(record, clock(), failure="The uploaded file is not there any more.")
        except (FileRefused, UnknownProject) as refusal:
            _finish(record, clock(), failure=str(refusal))
        except Exception as error:
            if record.attempts >= MAX_ATTEMPTS:
                _finish(record, clock(), failure=f"Given up after an error: {error}")
            raise
        else:
            _save(record, done, clock())
            _finish(record, clock())


def resume_imports(*, now: datetime) -> list[int]:
    """Publish again the imports that nobody has touched for a while; return which."""
    idle = DeviceImport.objects.filter(finished_at=None, updated_at__lt=now - _IDLE)
    import_ids = list(idle.order_by("pk").values_list("pk", flat=True))
    for import_id in import_ids:
        _publish(import_id)
    return import_ids


def _store(stream: IO[bytes], path: Path, *, size: int) -> None:
    left = size
    with path.open("xb") as file:
        while left and (chunk := stream.read(min(left, _CHUNK))):
            left -= file.write(chunk)
        if left:
            raise UploadCutShort(size - left, size)
        file.flush()
        os.fsync(file.fileno())


def _publish(import_id: int) -> None:
    try:
        current_app.send_task("devices.run_import", [import_id], queue="low_priority", retry=False)
    except OperationalError:
        logger.warning("The broker is away; import %s is taken up later.", import_id)


@contextmanager
def sole_worker(import_id: int) -> Iterator[bool]:
    """Hold the import's lock on a connection of its own; False where another holds it."""
    own = connection.copy()
    try:
        with own.cursor() as cursor:
            cursor.execute(_LOCK, [import_id])
            [alone] = cursor.fetchone()
        yield alone
    finally:
        own.close()


def _import(record: DeviceImport, clock: Callable[[], datetime]) -> Progress:
    saved_at = clock()

    def save_now_and_then(progress: Progress) -> None:
        nonlocal saved_at
        if (now := clock()) - saved_at >= _SAVE_EVERY:
            saved_at = now
            _save(record, progress, now)

    with (
        upload_path(record.pk).open("rb") as source,
        rejects_path(record.pk).open("w", encoding="utf-8", newline="") as rejects,
    ):
        return import_devices(
            source=source,
            file_format=FileFormat(record.file_format),
            project=record.project.project_id if record.project else None,
            rejects=rejects,
            now=clock(),
            on_progress=save_now_and_then,
        )


def _save(record: DeviceImport, progress: Progress, now: datetime) -> None:
    merged = progress.merged
    DeviceImport.objects.filter(pk=record.pk).update(
        bytes_read=progress.bytes_read,
        rows=progress.rows,
        rejected=progress.rejected,
        created=merged.created,
        updated=merged.updated,
        unchanged=merged.unchanged,
        repeated=merged.repeated,
        updated_at=now,
    )


def _finish(record: DeviceImport, now: datetime, *, failure: str = "") -> None:
    DeviceImport.objects.filter(pk=record.pk).update(
        status=ImportStatus.FAILED if failure else ImportStatus.COMPLETED,
        failure=failure,
        finished_at=now,
        updated_at=now,
    )
    upload_path(record.pk).unlink(missing_ok=True)
