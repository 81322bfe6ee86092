from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from campaigns.deliveries import Delivery, Place
from campaigns.export import COLUMNS, FileFormat, written

SENT_AT = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
ANN = Delivery(Place(1, 0, 1), 7, "ann", "ios", "success", "", "", "m-1", SENT_AT)
GONE = Delivery(Place(1, 0, 2), 8, None, None, "failed", "TEST", 'a "word",\nor two', "", None)


def text(file_format: FileFormat, *deliveries: Delivery) -> str:
    return b"".join(written([list(deliveries)], file_format=file_format)).decode()


def rows(*deliveries: Delivery) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text(FileFormat.CSV, *deliveries), newline="")))


def test_csv_has_a_header_and_a_row_for_each() -> None:
    assert rows(ANN, GONE) == [
        list(COLUMNS),
        ["7", "ann", "ios", "success", "", "", "m-1", "2026-03-01T12:00:00.250000Z"],
        ["8", "", "", "failed", "TEST", 'a "word",\nor two', "", ""],
    ]


def test_csv_of_nothing_is_its_header() -> None:
    assert rows() == [list(COLUMNS)]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
@pytest.mark.parametrize("field", ["user_id", "error", "detail", "message_id"])
def test_no_cell_of_csv_is_a_formula(field: str, start: str) -> None:
    evil = start + 'HYPERLINK("https://evil.example")'
    said: Any = {field: evil}
    [_, row] = rows(ANN._replace(**said))
    assert row[COLUMNS.index(field)] == "'" + evil


def test_csv_keeps_any_script() -> None:
    [_, row] = rows(ANN._replace(user_id="Жанна 🎉"))
    assert row[1] == "Жанна 🎉"


def test_ndjson_has_an_object_for_each_just_as_it_is() -> None:
    lines = text(FileFormat.NDJSON, ANN, GONE._replace(user_id="=1+1")).splitlines()
    assert [json.loads(line) for line in lines] == [
        {
            "device_id": 7,
            "user_id": "ann",
            "platform": "ios",
            "status": "success",
            "error": "",
            "detail": "",
            "message_id": "m-1",
            "sent_at": "2026-03-01T12:00:00.250000Z",
        },
        {
            "device_id": 8,
            "user_id": "=1+1",
            "platform": None,
            "status": "failed",
            "error": "TEST",
            "detail": 'a "word",\nor two',
            "message_id": "",
            "sent_at": None,
        },
    ]
