from __future__ import annotations

import gzip
import io
import zipfile
from typing import Any

import pytest

from devices import lines
from devices.reading import FileFormat, FileRefused, Read, read_blocks
from devices.rules import Problem

HEADER = b"user_id,address,platform\n"


def read(data: bytes, file_format: FileFormat = FileFormat.CSV) -> list[Read]:
    blocks = read_blocks(io.BytesIO(data), file_format)
    return [row for block in blocks for row in block.one_by_one()]


def problems(data: bytes, file_format: FileFormat = FileFormat.CSV) -> dict[int, str]:
    rows = read(data, file_format)
    return {line: given.reason for line, _, given in rows if isinstance(given, Problem)}


def device(user_id: str | None, address: str = "a", platform: str = "web") -> dict[str, Any]:
    return {"user_id": user_id, "address": address, "platform": platform}


def test_a_row_comes_with_its_line_and_its_text() -> None:
    assert read(HEADER + b"ann,a,web\nbob,b,web\n") == [
        (2, "ann,a,web", device("ann")),
        (3, "bob,b,web", device("bob", "b")),
    ]


@pytest.mark.parametrize(
    ("row", "user_id"),
    [
        (b"ann,a,web", "ann"),
        (b"ann,a,web\n", "ann"),
        (b"ann,a,web\r\n", "ann"),
        (b'"ann",a,web\n', "ann"),
        (b'"a ""b"", c",a,web\n', 'a "b", c'),
        (b'"two\nlines",a,web\n', "two\nlines"),
        (b'"two\r\nlines",a,web\r\n', "two\nlines"),
        (b'a"b"c,a,web\n', 'a"b"c'),
        (b",a,web\n", None),
        (b'"",a,web\n', None),
        ("ș🦊,a,web\n".encode(), "ș🦊"),
        (b"\n\nann,a,web\n\n", "ann"),
    ],
)
def test_csv_is_read_as_rfc_4180_has_it(row: bytes, user_id: str | None) -> None:
    [(_, _, given)] = read(HEADER + row)
    assert given == device(user_id)


def test_a_byte_order_mark_is_no_part_of_the_header() -> None:
    assert read(b"\xef\xbb\xbf" + HEADER + b"ann,a,web\n")[0][2] == device("ann")


@pytest.mark.parametrize("row", [b"bob,,web\n", b'"bob",,"web"\n'])
def test_rows_with_and_without_quotes_are_alike(row: bytes) -> None:
    [block, _] = read_blocks(io.BytesIO(HEADER + b"ann,a,web\n" + row), FileFormat.CSV)
    assert block.columns is not None
    assert {name: list(cells) for name, cells in block.columns.items()} == {
        "user_id": ["ann", "bob"],
        "address": ["a", ""],
        "platform": ["web", "web"],
    }
    assert block.one_by_one() == [
        (2, "ann,a,web", device("ann")),
        (3, row.decode().strip(), {"user_id": "bob", "address": None, "platform": "web"}),
    ]


def test_regular_rows_come_as_columns_too() -> None:
    [block, _] = read_blocks(io.BytesIO(HEADER + b'ann,a,web\n"b,b",b,web\n'), FileFormat.CSV)
    assert block.columns == {
        "user_id": ("ann", "b,b"),
        "address": ("a", "b"),
        "platform": ("web", "web"),
    }


@pytest.mark.parametrize(
    "irregular", [b"x\n", b"x,y,z,w\n", b'"x\ny",b,web\n', b"\xff,b,web\n", b"a\rb,c,web\n", b"\n"]
)
def test_irregular_rows_do_not(irregular: bytes) -> None:
    [block, _] = read_blocks(io.BytesIO(HEADER + b"ann,a,web\n" + irregular), FileFormat.CSV)
    assert block.columns is None
    assert block.one_by_one()[0][2] == device("ann")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"ann,a\n", "Has 2 values, the header names 3 columns."),
        (b"ann,a,web,x\n", "Has 4 values, the header names 3 columns."),
        (b"a\xffnn,a,web\n", "Is no UTF-8 (byte 2 of the line)."),
        (b'ann,"a,web\n', "A quote is opened and not closed."),
        (b'"ann"x"",a,web\n', "Is no CSV: ',' expected after '\"'."),
    ],
)
def test_a_bad_row_is_told_and_the_others_are_read(row: bytes, reason: str) -> None:
    data = HEADER + b"ann,a,web\n" + row + b"bob,b,web\n"
    assert problems(data) == {3: reason}
    assert [line for line, _, given in read(data) if not isinstance(given, Problem)] == [2, 4]


def test_a_quote_that_is_never_closed_costs_one_line() -> None:
    rows = b"".join(b"u%d,a,web\n" % number for number in range(500))
    data = HEADER + b'"ann,a,web\n' + rows
    assert problems(data) == {2: "A quote is opened and not closed."}
    assert len(read(data)) == 501


def test_a_line_that_is_too_long_costs_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE", 20)
    data = HEADER[:-1] + b"\nann,a,web\n" + b"x" * 21 + b",a,web\nbob,b,web\n"
    monkeypatch.setattr(lines, "MAX_LINE", 24)
    assert problems(data) == {3: "Is longer than 24 characters."}
    assert len(read(data)) == 3


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, 64])
def test_it_does_not_matter_where_a_piece_ends(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = HEADER + 'ann,a,web\n"ș\n🦊",b,web\r\n\nx\nbob,"c",ios'.encode()
    whole = read(data)
    monkeypatch.setattr(lines, "BLOCK_BYTES", size)
    assert read(data) == whole
    assert [line for line, _, _ in whole] == [2, 3, 6, 7]


def test_memory_stays_flat_over_a_line_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(io.BytesIO):
        left = 500

        def read(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            self.left -= 1
            return HEADER if self.left == 499 else b"x" * size if self.left > 0 else b""

    blocks = read_blocks(Endless(), FileFormat.CSV)
    rows = [row for block in blocks for row in block.one_by_one()]
    assert [(line, len(text)) for line, text, _ in rows] == [(2, 100)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "The file is empty."),
        (b"user_id,address\n", "The header lacks platform."),
        (b"user_id,address,platform,user_id\n", "The header names a column twice."),
        (b"user_id;address;platform\n", "There is no column 'user_id;address;platform'."),
        (b"id,user_id,address,platform\n", "There is no column 'id'."),
        (b"\xff\xfeu\x00\n", "The header cannot be read: Is no UTF-8 (byte 1 of the line)."),
        (b"\n", "The header lacks user_id, address, platform."),
        (b'"user_id,address\n', "The header cannot be read: Is no CSV: unexpected end of data."),
    ],
)
def test_a_file_that_is_none_of_devices_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(FileRefused) as refusal:
        read(data)
    assert str(refusal.value).startswith(reason)


def test_a_header_alone_is_an_import_of_nothing() -> None:
    assert read(HEADER) == []


def test_ndjson_is_one_object_per_line() -> None:
    data = b'{"user_id": "ann", "tags": {"a": 1}}\r\n\n{"user_id": null}'
    assert [row[2] for row in read(data, FileFormat.NDJSON)] == [
        {"user_id": "ann", "tags": {"a": 1}},
        {"user_id": None},
    ]


def test_a_line_that_is_no_object_is_told() -> None:
    data = b'{"a": 1}\n{"a": \n7\n{"a": "\xff"}\n{"a": NaN}\n{}\n'
    found = problems(data, FileFormat.NDJSON)
    assert {line: reason.split(":")[0] for line, reason in found.items()} == {
        2: "Is no JSON",
        3: "Must be a JSON object.",
        4: "Is no UTF-8 (byte 8 of the line).",
        5: "Is no JSON",
    }


@pytest.mark.parametrize("file_format", FileFormat)
def test_a_packed_file_is_told_from_a_damaged_one(file_format: FileFormat) -> None:
    with pytest.raises(FileRefused, match=r"packed by gzip.* unpack it first"):
        read(gzip.compress(HEADER), file_format)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("devices.csv", HEADER)
    with pytest.raises(FileRefused, match="a ZIP archive, not text"):
        read(archive.getvalue(), file_format)
