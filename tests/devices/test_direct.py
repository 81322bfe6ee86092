"""The first devices of all: copied straight, until something is in the way."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, transaction

from devices import direct, lines, staging
from devices.importing import Progress, import_devices
from devices.merging import Merged
from devices.models import DeviceToken, FcmProject
from devices.reading import FileFormat
from tests.cast import NOW, make_devices, make_project
from tests.concurrency import in_own_connection

pytestmark = pytest.mark.django_db(transaction=True)

HEADER = "user_id,address,platform,app_version\n"


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch) -> FcmProject:
    """The project of all rows; they come in small blocks and go in small transactions."""
    monkeypatch.setattr(lines, "BLOCK_BYTES", 200)
    monkeypatch.setattr(direct, "_LANE_ROWS", 20)
    return make_project(project_id="shop-app")


def rows(numbers: range, version: str = "1") -> str:
    return "".join(f"user{number},a{number},web,{version}\n" for number in numbers)


def load(text: str, source: type[io.BytesIO] = io.BytesIO, project: str | None = None) -> Progress:
    return import_devices(
        source=source((HEADER + text).encode()),
        file_format=FileFormat.CSV,
        project=project,
        rejects=None,
        now=NOW,
    )


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows went through the staging table, import by import."""
    counts: list[int] = []
    fill = staging.Staging.fill

    def counting(self: staging.Staging, chunks: Iterator[str]) -> None:
        fill(self, chunks)
        counts.append(self.rows)

    monkeypatch.setattr(staging.Staging, "fill", counting)
    return counts


def test_where_there_is_nobody_nothing_is_staged(staged: list[int]) -> None:
    assert load(rows(range(500))).merged == Merged(created=500)
    assert staged == [0]
    facts = ("created_at", "updated_at", "last_seen_at", "tags", "address_kind", "language")
    made = list(DeviceToken.objects.values_list(*facts))
    assert made == [(NOW, NOW, NOW, {}, "token", "")] * 500


def test_where_there_is_anybody_all_is_staged(project: FcmProject, staged: list[int]) -> None:
    make_devices(project, 1, address="a7", app_version="0")

    assert load(rows(range(500))).merged == Merged(created=499, updated=1)
    assert staged == [500]


@pytest.mark.parametrize("again", [3, 60, 499])
def test_of_the_rows_of_one_address_the_last_wins_however_far_apart(
    staged: list[int], again: int
) -> None:
    text = rows(range(500)) + rows(range(again, again + 1), "2") + rows(range(500, 900))

    done = load(text)

    assert done.rows == 901
    assert done.merged.created + done.merged.updated + done.merged.repeated == 901
    assert done.merged.created == 900
    assert 0 < staged[0] < 901
    versions = dict(DeviceToken.objects.values_list("address", "app_version"))
    assert len(versions) == 900
    assert {address for address, version in versions.items() if version == "2"} == {f"a{again}"}


def test_it_gives_way_to_whoever_registers_a_device_meanwhile(
    project: FcmProject, staged: list[int]
) -> None:
    begun = threading.Event()

    def register() -> bool:
        with transaction.atomic():
            make_devices(project, 1, address="a250", app_version="0")
            begun.set()
            gives_up_at = time.monotonic() + 20
            while not staged and time.monotonic() < gives_up_at:
                time.sleep(0.01)
            return bool(staged)

    with ThreadPoolExecutor(1) as pool:
        gave_way = pool.submit(in_own_connection, register)
        assert begun.wait(20)
        done = load(rows(range(500)))

    assert gave_way.result()
    assert done.merged == Merged(created=499, updated=1)
    assert 0 < staged[0] < 500
    assert DeviceToken.objects.get(address="a250").app_version == "1"


def test_a_file_that_breaks_off_leaves_whole_transactions_and_no_thread() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 5_000:
                raise OSError("the disk is gone")
            return super().read(size)

    before = threading.active_count()
    with pytest.raises(OSError, match="the disk is gone"):
        load(rows(range(2_000)), Broken)

    assert threading.active_count() == before
    left = DeviceToken.objects.count()
    assert 0 < left < 400
    assert load(rows(range(2_000))).merged == Merged(created=2_000 - left, unchanged=left)


@pytest.mark.parametrize("others", [0, 1])  # copied, and merged
def test_no_device_comes_to_a_project_deleted_meanwhile(project: FcmProject, others: int) -> None:
    make_devices(make_project(project_id="other-app"), others)

    class Deleting(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            FcmProject.objects.filter(pk=project.pk).delete()
            return super().read(size)

    with pytest.raises(IntegrityError):
        load(rows(range(500)), Deleting, project="shop-app")

    assert DeviceToken.objects.count() == others


def test_what_is_imported_outlives_a_crash() -> None:
    told_at: list[str] = []

    def note(_: Progress) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_wal_insert_lsn()")
            told_at.append(cursor.fetchone()[0])

    for text in (rows(range(500)), rows(range(600), "2")):  # copied, and merged
        import_devices(
            source=io.BytesIO((HEADER + text).encode()),
            file_format=FileFormat.CSV,
            project=None,
            rejects=None,
            now=NOW,
            on_progress=note,
        )
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_wal_flush_lsn() >= %s::pg_lsn", [told_at[-1]])
            assert cursor.fetchone() == (True,)
