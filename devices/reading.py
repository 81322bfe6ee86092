"""Reading files of devices, CSV or NDJSON: streamed, and no bad row stops the rest.

CSV is RFC 4180's, in UTF-8: commas, a header that names the columns, quotes doubled inside quotes.
NDJSON is one JSON object per line. An empty cell, or null, says nothing.

    FileRefused  the file as a whole is none of devices: nothing of it is taken
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import chain
from typing import Final, NamedTuple

import orjson

from devices.lines import Line, Lines, Source, blocks
from devices.rules import FIELDS, REQUIRED, Given, Problem

_MAX_JOINED: Final = 100
"""Lines of one CSV record: from here on a quote is taken for one that was never closed."""
_NO_TEXT: Final = {"\x1f\ufffd\x08": "packed by gzip", "PK\x03\x04": "a ZIP archive"}
"""How such files begin, read as text."""
_UNCLOSED: Final = "A quote is opened and not closed."


class FileFormat(StrEnum):
    """How the rows are written."""

    CSV = "csv"
    NDJSON = "ndjson"


class FileRefused(Exception):
    """The file as a whole is none of devices."""


Read = tuple[int, str, Given | Problem]
"""One row of a file: the line where it begins (from 1), its text, and what it says."""


class Block(NamedTuple):
    """Some rows of a file."""

    rows: int
    columns: Mapping[str, Sequence[str]] | None
    """The same rows as columns, where they are as regular as that."""
    one_by_one: Callable[[], list[Read]]


def read_blocks(source: Source, file_format: FileFormat) -> Iterator[Block]:
    """Yield the file's rows, some at a time.

    Raises:
        FileRefused: the file is empty or packed, or its header is no device's.
    """
    all_lines = blocks(source)
    first = first_lines(all_lines)
    if file_format == FileFormat.NDJSON:
        return map(_objects, chain([first], all_lines))
    return _csv(_header(first), first, all_lines)


def first_lines(all_lines: Iterator[Lines]) -> Lines:
    """Take a file's first lines.

    Raises:
        FileRefused: the file is empty or packed.
    """
    first = next(all_lines, None)
    if first is None:
        raise FileRefused("The file is empty.")
    for signature, what in _NO_TEXT.items():
        if first.texts[0].startswith(signature):
            raise FileRefused(f"The file is {what}, not text: unpack it first.")
    return first


def _objects(lines: Lines) -> Block:
    return _irregular(
        [
            (number, text, Problem("", reason) if reason else read_object(text))
            for number, text, reason in lines.numbered()
            if reason or text.strip()
        ]
    )


def _irregular(rows: list[Read]) -> Block:
    return Block(len(rows), None, lambda: rows)


def read_object(text: str | bytes) -> Given | Problem:
    """Return the JSON object that a line holds, or what is wrong with it."""
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return Problem("", f"Is no JSON: {error}.")
    return given if isinstance(given, dict) else Problem("", "Must be a JSON object.")


def _header(first: Lines) -> list[str]:
    """Take the header off the first lines."""
    _, text, reason = first.take_first()
    if reason:
        raise FileRefused(f"The header cannot be read: {reason}")
    cells = _cells(text) if text else []
    if isinstance(cells, Problem):
        raise FileRefused(f"The header cannot be read: {cells.reason}")
    names = [name.strip() for name in cells]
    known = ", ".join(sorted(FIELDS))
    for name in names:
        if name not in FIELDS:
            raise FileRefused(f"There is no column {name[:64]!r}. Known are: {known}.")
    if len(set(names)) < len(names):
        raise FileRefused("The header names a column twice.")
    if missing := [name for name in REQUIRED if name not in names]:
        raise FileRefused(f"The header lacks {', '.join(missing)}.")
    return names


def _csv(header: Sequence[str], first: Lines, rest: Iterator[Lines]) -> Iterator[Block]:
    records = _Records()
    for lines in chain([first], rest):
        is_clean = not (lines.refused or records.is_open)
        table = _table(header, lines) if is_clean else None
        yield table or _irregular(
            [
                _read_record(header, record)
                for line in lines.numbered()
                for record in records.add(line)
                if record.text or record.refused
            ]
        )
    yield _irregular([_read_record(header, line) for line in records.finish()])


def _table(header: Sequence[str], lines: Lines) -> Block | None:
    """Return the lines as a table, None where not each of them is one whole row."""
    columns = _plain_columns(lines.texts, len(header)) or _columns(lines.texts, len(header))
    if columns is None:
        return None
    return Block(
        len(lines.texts),
        dict(zip(header, columns, strict=True)),
        lambda: [
            (number, text, _given(header, cells))
            for number, text, *cells in zip(lines.numbers, lines.texts, *columns, strict=True)
        ],
    )


def _plain_columns(texts: Sequence[str], count: int) -> Sequence[Sequence[str]] | None:
    """Return the columns of lines without quotes, at a fifth of what a parser of CSV takes."""
    everything = ",".join(texts)
    if '"' in everything or "\r" in everything:
        return None
    if {text.count(",") for text in texts} != {count - 1}:
        return None
    cells = everything.split(",")
    return [cells[index::count] for index in range(count)]


def _columns(texts: Sequence[str], count: int) -> Sequence[Sequence[str]] | None:
    try:
        table = list(csv.reader(texts, strict=True))
    except csv.Error:
        return None
    if len(table) != len(texts) or {count} != set(map(len, table)):
        return None
    return list(zip(*table, strict=True))


def _read_record(header: Sequence[str], record: Line) -> Read:
    number, text, reason = record
    parsed = Problem("", reason) if reason else _cells(text)
    given = parsed if isinstance(parsed, Problem) else _given(header, parsed)
    return (number, text, given)


def _cells(text: str) -> list[str] | Problem:
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error as error:
        return Problem("", f"Is no CSV: {error}.")


def _given(header: Sequence[str], cells: Sequence[str]) -> Mapping[str, object] | Problem:
    if len(cells) != len(header):
        return Problem("", f"Has {len(cells)} values, the header names {len(header)} columns.")
    return dict(zip(header, [cell or None for cell in cells], strict=True))


class _Records:
    """Lines joined to records where a quoted value goes on over several."""

    def __init__(self) -> None:
        self._open: list[Line] = []

    @property
    def is_open(self) -> bool:
        """Whether a record waits for its end."""
        return bool(self._open)

    def add(self, line: Line) -> Iterator[Line]:
        """Yield the records that end with this line."""
        is_odd = line.text.count('"') % 2 == 1
        if not self._open and (line.refused or not is_odd):
            yield line
            return
        self._open.append(line)
        if len(self._open) > 1 and is_odd:
            yield self._join()
        elif len(self._open) >= _MAX_JOINED or line.refused:
            yield from self._give_up()

    def finish(self) -> Iterator[Line]:
        """Yield what is left at the end of the file."""
        while self._open:
            yield from self._give_up()

    def _join(self) -> Line:
        lines, self._open = self._open, []
        return Line(lines[0].number, "\n".join(line.text for line in lines), "")

    def _give_up(self) -> Iterator[Line]:
        """Refuse the line with the open quote, and read those after it on their own."""
        (number, text, _), *rest = self._open
        self._open = []
        yield Line(number, text, _UNCLOSED)
        for line in rest:
            yield from self.add(line)
