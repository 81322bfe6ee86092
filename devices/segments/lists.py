"""Uploaded lists of user ids: taken in, and read by a worker.

The ids go by COPY into a temporary table, and from there, each once and in their order, to the
list's members, all in one transaction: the list is there whole or not at all, and a worker that was
killed is followed by another that begins again.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import IO, Final

from celery import current_app
from django.db import IntegrityError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F
from kombu.exceptions import OperationalError

from devices.imports import MAX_ATTEMPTS
from devices.reading import FileRefused
from devices.segments.errors import InUse, NameTaken
from devices.segments.models import BuildStatus, ListMember, UserList
from devices.segments.reading import ListFormat, read_ids
from devices.segments.references import users_of
from devices.staging import Feed
from devices.uploads import stored_upload

logger = logging.getLogger(__name__)
REJECTS_HEADER: Final = ("line", "reason", "row")
IDLE: Final = timedelta(seconds=60)
_SAVE_EVERY: Final = timedelta(seconds=1)
_STAGE: Final = """
CREATE TEMPORARY TABLE staged_user_id (user_id text NOT NULL) ON COMMIT DROP;
SET LOCAL work_mem = '64MB'
"""
_COPY: Final = "COPY staged_user_id FROM STDIN"
_KEEP: Final = """
INSERT INTO segments_listmember (user_list_id, user_id)
SELECT DISTINCT %s::bigint, user_id FROM staged_user_id ORDER BY user_id
"""
_PROGRESS: Final = """
UPDATE segments_userlist SET bytes_read = %s, rows = %s, rejected = %s, updated_at = %s
 WHERE id = %s AND finished_at IS NULL
"""


def take_list(
    *,
    stream: IO[bytes],
    size: int,
    file_format: ListFormat,
    name: str,
    description: str,
    user_id: int | None,
    now: datetime,
) -> UserList:
    """Store a file of `size` bytes and have it read soon.

    Raises:
        NameTaken: there is a list of that name; nothing is stored.
        UploadRefused: it is too large, or arrived in part; nothing is stored.
    """
    if UserList.objects.filter(name=name).exists():  # before a gigabyte is taken in
        raise NameTaken(name)
    with stored_upload(stream, size=size) as part:
        try:
            with transaction.atomic():
                record = UserList.objects.create(
                    name=name,
                    description=description,
                    file_format=file_format,
                    total_bytes=size,
                    created_by_id=user_id,
                    created_at=now,
                    updated_at=now,
                )
                part.replace(record.file_path)
                transaction.on_commit(lambda: _publish(record.pk))
        except IntegrityError as error:
            raise NameTaken(name) from error
    return record


def read_list(*, list_id: int, clock: Callable[[], datetime]) -> None:
    """Read an uploaded list, unless that is done."""
    begun = UserList.objects.filter(pk=list_id, finished_at=None).update(
        status=BuildStatus.RUNNING, attempts=F("attempts") + 1, updated_at=clock()
    )
    if not begun:
        return
    record = UserList.objects.get(pk=list_id)
    try:
        _read(record, clock)
    except FileNotFoundError:
        _give_up(record, "The uploaded file is not there any more.", clock())
    except FileRefused as refusal:
        _give_up(record, str(refusal), clock())
    except Exception as error:
        if record.attempts >= MAX_ATTEMPTS:
            _give_up(record, f"Given up after an error: {error}", clock())
        raise
    record.file_path.unlink(missing_ok=True)


def resume_lists(*, now: datetime) -> list[int]:
    """Publish again the lists that nobody has touched for a while; return which."""
    idle = UserList.objects.filter(finished_at=None, updated_at__lt=now - IDLE)
    list_ids = list(idle.order_by("pk").values_list("pk", flat=True))
    for list_id in list_ids:
        _publish(list_id)
    return list_ids


def delete_list(*, list_id: int) -> None:
    """Delete a list that no segment and no unfinished campaign needs.

    Raises:
        InUse: one does, and nothing has changed.
        UserList.DoesNotExist: there is no such list.
    """
    with transaction.atomic():
        # A campaign that is launched now holds the row until it is known who needs it.
        record = UserList.objects.select_for_update().get(pk=list_id)
        if users := users_of(record):
            raise InUse(f"The user list {record.name!r}", users)
        ListMember.objects.filter(user_list=list_id).delete()
        paths = record.file_path, record.rejects_path
        record.delete()
    for path in paths:
        path.unlink(missing_ok=True)


def _read(record: UserList, clock: Callable[[], datetime]) -> None:
    with (
        record.file_path.open("rb") as source,
        record.rejects_path.open("w", encoding="utf-8", newline="") as rejects,
        _second_connection() as second,
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(_STAGE)
        staged = _staged_text(record, source, rejects, clock=clock, second=second)
        Feed(staged).copy_into(cursor, _COPY)
        rejects.flush()  # whoever sees the list completed may fetch them at once
        # Two workers may have read it; the row is theirs one after the other.
        if not UserList.objects.select_for_update().filter(pk=record.pk, finished_at=None).exists():
            return
        cursor.execute(_KEEP, [record.pk])
        record.size = cursor.rowcount
        record.repeated = record.rows - record.rejected - record.size
        record.status = BuildStatus.COMPLETED
        record.finished_at = record.updated_at = clock()
        record.save()


def _staged_text(
    record: UserList,
    source: IO[bytes],
    rejects: IO[str],
    *,
    clock: Callable[[], datetime],
    second: BaseDatabaseWrapper,
) -> Iterator[str]:
    """Yield the good ids in COPY's text format, count all, and save the progress now and then."""
    writer = csv.writer(rejects, lineterminator="\n")
    writer.writerow(REJECTS_HEADER)
    saved_at = clock()
    for block in read_ids(source, ListFormat(record.file_format)):
        record.rows += block.rows
        record.rejected += len(block.rejected)
        record.bytes_read = source.tell()
        writer.writerows(block.rejected)
        if (now := clock()) - saved_at >= _SAVE_EVERY:
            saved_at = now
            with second.cursor() as cursor:
                read = (record.bytes_read, record.rows, record.rejected)
                cursor.execute(_PROGRESS, [*read, now, record.pk])
        yield block.text


@contextmanager
def _second_connection() -> Iterator[BaseDatabaseWrapper]:
    """Connect once more: while a COPY is under way, its own connection takes nothing else."""
    second = connection.copy()
    try:
        yield second
    finally:
        second.close()


def _give_up(record: UserList, failure: str, now: datetime) -> None:
    UserList.objects.filter(pk=record.pk, finished_at=None).update(
        status=BuildStatus.FAILED, failure=failure, finished_at=now, updated_at=now
    )


def _publish(list_id: int) -> None:
    try:
        current_app.send_task("segments.read_list", [list_id], queue="low_priority", retry=False)
    except OperationalError:
        logger.warning("The broker is away; user list %s is read later.", list_id)
