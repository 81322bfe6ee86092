from __future__ import annotations

import csv
import io
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from devices.segments import lists
from devices.segments.errors import NameTaken
from devices.segments.lists import delete_list, read_list, resume_lists, take_list
from devices.segments.models import ListMember, UserList
from devices.segments.reading import ListFormat, read_ids
from tests.cast import NOW, seconds_later
from tests.concurrency import run_at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("broker")]


@pytest.fixture(autouse=True)
def folder(settings: Settings, tmp_path: Path) -> Path:
    settings.IMPORT_FOLDER = str(tmp_path / "imports")
    return tmp_path / "imports"


def take(body: bytes, file_format: str = "text", name: str = "vips") -> UserList:
    return take_list(
        stream=io.BytesIO(body),
        size=len(body),
        file_format=ListFormat(file_format),
        name=name,
        description="",
        user_id=None,
        now=NOW,
    )


def read(body: bytes, file_format: str = "text") -> UserList:
    record = take(body, file_format)
    read_list(list_id=record.pk, clock=lambda: NOW)
    record.refresh_from_db()
    return record


def members(record: UserList) -> set[str]:
    return set(ListMember.objects.filter(user_list=record).values_list("user_id", flat=True))


def rejects(record: UserList) -> list[list[str]]:
    return list(csv.reader(io.StringIO(record.rejects_path.read_text("utf-8"))))[1:]


@pytest.mark.parametrize(
    ("file_format", "body"),
    [
        ("text", b"ann\nbob\r\n\n 42 \nann\n\xf0\x9f\xa6\x8a \\N\n"),
        ("csv", b'name,user_id\nA,ann\n"B, C","bob"\n\nD,42\nE,ann\nF,\xf0\x9f\xa6\x8a \\N\n'),
        (
            "ndjson",
            b'"ann"\n{"user_id":"bob"}\n"42"\n{"user_id":"ann"}\n"\xf0\x9f\xa6\x8a \\\\N"\n',
        ),
    ],
)
def test_ids_are_taken_once_each_from_every_format(file_format: str, body: bytes) -> None:
    record = read(body, file_format)
    assert members(record) == {"ann", "bob", "42", "🦊 \\N"}
    assert (record.status, record.rows, record.repeated, record.size, record.rejected) == (
        "completed",
        5,
        1,
        4,
        0,
    )
    assert record.bytes_read == record.total_bytes == len(body)
    assert (record.finished_at, rejects(record)) == (NOW, [])


@pytest.mark.parametrize(
    ("file_format", "body", "expected"),
    [
        (
            "text",
            b"ann\n" + b"x" * 256 + b"\na\0b\nbad \xff\nbob",
            [
                ["2", "Must not be longer than 255 characters."],
                ["3", "Must not contain the character NUL."],
                ["4", "Is no UTF-8 (byte 5 of the line)."],
            ],
        ),
        (
            "csv",
            b'user_id,n\nann,1\n,2\nx,1,2\n"x,1\nbob,1\n',
            [
                ["3", "Must not be empty."],
                ["4", "Has 3 values, the header names 2 columns."],
                ["5", "Is no CSV: unexpected end of data."],
            ],
        ),
        (
            "ndjson",
            b'"ann"\n{"user": "x"}\n7\n[]\n{"user_id": "bob"}\n',
            [["2", "Must not be empty."], ["3", "Must be text."], ["4", "Must be text."]],
        ),
    ],
)
def test_bad_lines_are_told_of_and_stop_no_others(
    file_format: str, body: bytes, expected: list[list[str]]
) -> None:
    record = read(body, file_format)
    assert members(record) == {"ann", "bob"}
    assert [row[:2] for row in rejects(record)] == expected
    assert (record.rows, record.rejected, record.size) == (5, 3, 2)


def test_all_rejects_are_written_before_the_list_is_called_completed() -> None:
    record = take(b"ann\n" + b"x" * 256 + b"\n")
    seen: list[list[str]] = []

    def clock() -> datetime:
        if record.rejects_path.exists():
            seen[:] = rejects(record)
        return NOW

    read_list(list_id=record.pk, clock=clock)  # whose last question is when it was completed
    assert [row[0] for row in seen] == ["2"]


@pytest.mark.parametrize(
    ("file_format", "body", "failure"),
    [
        ("csv", b"name\nann\n", "The header must name one column `user_id`."),
        ("csv", b"user_id,user_id\na,b\n", "The header must name one column `user_id`."),
        ("csv", b"\xff\nann\n", "The header must name one column `user_id`."),
    ],
)
def test_a_file_that_is_no_list_fails_with_the_reason(
    file_format: str, body: bytes, failure: str, folder: Path
) -> None:
    record = read(body, file_format)
    assert (record.status, record.failure) == ("failed", failure)
    assert not ListMember.objects.exists()
    assert not list(folder.glob("*.upload"))


def test_a_name_that_is_taken_stores_nothing(folder: Path) -> None:
    take(b"ann")
    with pytest.raises(NameTaken, match="'vips'"):
        take(b"bob")
    assert [path.name for path in folder.iterdir()] == [f"list-{UserList.objects.get().pk}.upload"]


def test_a_list_whose_worker_was_killed_is_read_again_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = take(b"ann\nbob\n")

    def die(*_: Any) -> Any:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(lists, "read_ids", die)
        with pytest.raises(MemoryError):
            read_list(list_id=record.pk, clock=lambda: NOW)
    record.refresh_from_db()
    assert (record.status, members(record)) == ("running", set())
    assert resume_lists(now=seconds_later(60)) == []
    assert resume_lists(now=seconds_later(61)) == [record.pk]
    read_list(list_id=record.pk, clock=lambda: NOW)
    record.refresh_from_db()
    assert (record.status, record.attempts, record.rows) == ("completed", 2, 2)
    assert members(record) == {"ann", "bob"}


def test_a_message_that_comes_again_changes_nothing() -> None:
    record = read(b"ann\nbob\n")
    read_list(list_id=record.pk, clock=lambda: seconds_later(9))
    again = UserList.objects.get()
    assert (again.attempts, again.finished_at, again.size) == (1, NOW, 2)


def test_two_workers_at_once_read_a_list_once(monkeypatch: pytest.MonkeyPatch) -> None:
    record = take(b"ann\nbob\n")
    first = read_ids

    def overtaken(*args: Any) -> Any:
        monkeypatch.setattr(lists, "read_ids", first)
        yield from first(*args)
        run_at_once(1, lambda: read_list(list_id=record.pk, clock=lambda: NOW))

    monkeypatch.setattr(lists, "read_ids", overtaken)
    read_list(list_id=record.pk, clock=lambda: seconds_later(9))
    record.refresh_from_db()
    assert (record.size, record.finished_at, members(record)) == (2, NOW, {"ann", "bob"})


def test_an_upload_that_is_gone_fails_the_list() -> None:
    record = take(b"ann")
    record.file_path.unlink()
    read_list(list_id=record.pk, clock=lambda: NOW)
    assert UserList.objects.get().failure == "The uploaded file is not there any more."


def test_the_progress_is_seen_while_the_list_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    record = take(b"".join(b"user-%06d\n" % number for number in range(40_000)))
    seen: list[int] = []
    first = read_ids

    def watched(*args: Any) -> Any:
        for block in first(*args):
            yield block
            seen.extend(run_at_once(1, lambda: UserList.objects.get().rows))

    monkeypatch.setattr(lists, "read_ids", watched)
    seconds = iter(range(0, 10_000, 2))
    read_list(list_id=record.pk, clock=lambda: seconds_later(next(seconds)))
    assert seen == sorted(seen)
    assert seen[0] > 0
    assert (seen[-1], UserList.objects.get().size) == (40_000, 40_000)


def test_a_deleted_list_takes_its_members_and_files_with_it(folder: Path) -> None:
    record = read(b"ann\nbob\n")
    other = take(b"cleo", name="other")
    read_list(list_id=other.pk, clock=lambda: NOW)
    delete_list(list_id=record.pk)
    assert set(ListMember.objects.values_list("user_id", flat=True)) == {"cleo"}
    assert [path.name for path in folder.iterdir()] == [f"list-{other.pk}.rejects.csv"]
    with pytest.raises(UserList.DoesNotExist):
        delete_list(list_id=record.pk)
