"""Uploaded files of devices: taken in, and imported by a worker.

An advisory lock says that a worker is at it: it ends with the worker, so that another can begin
again, which is safe.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import IO, Final

from celery import current_app
from django.db import connection, transaction
from django.db.models import F
from kombu.exceptions import OperationalError

from devices.importing import Progress, import_devices
from devices.models import DeviceImport, FcmProject, ImportStatus
from devices.projects import UnknownProject
from devices.reading import FileFormat, FileRefused
from devices.uploads import stored_upload

logger = logging.getLogger(__name__)
MAX_ATTEMPTS: Final = 5
"""A file that breaks its worker so often is given up on."""
_IDLE: Final = timedelta(seconds=60)
_SAVE_EVERY: Final = timedelta(seconds=1)
_LOCK: Final = "SELECT pg_try_advisory_lock(hashtext('devices_import'), %s)"


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
        UploadRefused: it is too large, or arrived in part; nothing is stored.
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
        part.replace(record.file_path)
        transaction.on_commit(lambda: _publish(record.pk))
    return record


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
        record.file_path.open("rb") as source,
        record.rejects_path.open("w", encoding="utf-8", newline="") as rejects,
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
    record.file_path.unlink(missing_ok=True)
