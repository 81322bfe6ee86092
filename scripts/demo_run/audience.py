"""The demo's devices: made by COPY, the same ones for the same seed, used again on the next run."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import IO, cast

from django.db import connection, transaction

from devices.models import DeviceToken, FcmProject
from scripts.demo_run.errors import DemoError
from scripts.demo_run.projects import PROJECT

CHUNK = 100_000
"""Devices per transaction: an interrupted run keeps what it has, and the next goes on there."""
LANGUAGES = (("en", "US"), ("de", "DE"), ("ru", "RU"), ("pt", "BR"), ("ja", "JP"))
PLATFORMS = ("android",) * 14 + ("ios",) * 5 + ("web",)
"""70 % Android, 25 % iOS, 5 % web."""
COPY = """
COPY devices_devicetoken
    (project_id, user_id, address, address_kind, platform, is_active, inactive_reason,
     language, country, timezone, app_version, tags)
FROM STDIN
"""
Progress = Callable[[int], None]


def address_of(seed: int, index: int) -> str:
    """Return device `index`'s address: of the form and length of an Android registration token."""
    digest = hashlib.shake_128(b"%d:%d" % (seed, index)).digest(117)
    text = base64.urlsafe_b64encode(digest).decode("ascii")
    return f"{text[:22]}:APA91b{text[22:]}"


def prepare_devices(
    *, projects: Sequence[FcmProject], count: int, seed: int, on_progress: Progress
) -> tuple[int, int]:
    """Make the database hold exactly these `count` devices, all active, dealt to the projects.

    Calls `on_progress` with how many there are, from time to time. Returns how many were used
    again and how many made.

    Raises:
        DemoError: the database holds devices that are not the demo's: not to be touched.
    """
    if DeviceToken.objects.exclude(project__project_id__startswith=PROJECT).exists():
        message = "This database holds devices of its own: give the demo an empty one."
        raise DemoError(message)
    present = _reusable(projects, count=count, seed=seed)
    if present == 0:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE devices_devicetoken CASCADE")
    else:
        _reactivate()
    project_ids = [project.pk for project in projects]
    for start in range(present, count, CHUNK):
        on_progress(start)
        with transaction.atomic(), connection.cursor() as cursor:
            rows = _rows(project_ids, seed=seed, indexes=range(start, min(start + CHUNK, count)))
            cursor.copy_expert(COPY, cast("IO[str]", RowReader(rows)))
    on_progress(count)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) devices_devicetoken")
    return present, count - present


def _reusable(projects: Sequence[FcmProject], *, count: int, seed: int) -> int:
    """Return how many devices can stay: all or none; COPY is faster than picking some out."""
    devices = DeviceToken.objects.all()
    newest = list(devices.order_by("-pk").values_list("address", "project_id")[: len(projects) + 1])
    present = devices.count()
    # As many as there are projects, and one more, tell among how many they were dealt.
    wanted = [
        (address_of(seed, index), projects[index % len(projects)].pk)
        for index in reversed(range(max(0, present - len(projects) - 1), present))
    ]
    return present if newest == wanted and present <= count else 0


def _reactivate() -> None:
    DeviceToken.objects.filter(is_active=False).update(
        is_active=True, inactive_reason="", inactive_since=None
    )


def _rows(project_ids: Sequence[int], *, seed: int, indexes: range) -> Iterator[str]:
    """Yield lines in COPY's text format; nothing in them needs escaping."""
    for index in indexes:
        language, country = LANGUAGES[index % 5]
        yield (
            f"{project_ids[index % len(project_ids)]}\tuser{index * 9 // 10}"
            f"\t{address_of(seed, index)}\ttoken"
            f"\t{PLATFORMS[index % 20]}\tt\t\t{language}\t{country}\t\t1.0\t{{}}\n"
        )


class RowReader:
    """Lines as a file that COPY reads from: memory stays flat however many there are."""

    def __init__(self, rows: Iterator[str]) -> None:
        self._rows = rows
        self._rest = ""

    def read(self, size: int) -> str:
        """Return up to `size` characters; "" at the end."""
        parts, length = [self._rest], len(self._rest)
        while length < size and (row := next(self._rows, "")):
            parts.append(row)
            length += len(row)
        text = "".join(parts)
        self._rest = text[size:]
        return text[:size]
