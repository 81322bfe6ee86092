"""Reading files of user ids: plain text, CSV or NDJSON; no bad line stops the rest.

Plain text has an id a line. CSV has a header with a column `user_id`; what else is in it is left
alone. NDJSON has a text a line, or an object with `user_id`. Empty lines say nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from enum import StrEnum
from itertools import chain
from typing import IO, NamedTuple

import orjson

from devices.columns import copy_value
from devices.lines import Line, Lines, blocks
from devices.reading import FileRefused, first_lines
from devices.values import MAX_USER_ID, ValueRefused, user_id

COLUMN = "user_id"


class ListFormat(StrEnum):
    """How the ids are written."""

    TEXT = "text"
    CSV = "csv"
    NDJSON = "ndjson"


class IdBlock(NamedTuple):
    """Some rows of a file."""

    rows: int
    text: str
    """The good ids in COPY's text format."""
    rejected: list[tuple[int, str, str]]
    """Line, reason and the line itself."""


def read_ids(source: IO[bytes], file_format: ListFormat) -> Iterator[IdBlock]:
    """Yield the file's ids, some at a time.

    Raises:
        FileRefused: the file is empty or packed, or its header names no `user_id`.
    """
    all_lines = blocks(source)
    first = first_lines(all_lines)
    if file_format == ListFormat.CSV:
        id_of = _column_reader(first)
    else:
        id_of = _text if file_format == ListFormat.TEXT else _json
    for lines in chain([first], all_lines):
        plain = _plain(lines) if file_format == ListFormat.TEXT else None
        yield plain or _one_by_one(lines, id_of)


def _plain(lines: Lines) -> IdBlock | None:
    """Return the lines at once, where each is an id that COPY takes as it is."""
    everything = "".join(lines.texts)
    is_plain = (
        not lines.refused
        and everything.isprintable()
        and "\\" not in everything
        and " " not in everything
        and all(lines.texts)
        and max(map(len, lines.texts)) <= MAX_USER_ID
    )
    if not is_plain:
        return None
    return IdBlock(len(lines.texts), "\n".join(lines.texts) + "\n", [])


def _one_by_one(lines: Lines, id_of: Callable[[str], object]) -> IdBlock:
    good: list[str] = []
    rejected: list[tuple[int, str, str]] = []
    for number, text, reason in _filled(lines):
        try:
            if reason:
                raise ValueRefused(reason)
            good.append(copy_value(user_id(id_of(text))) + "\n")
        except ValueRefused as refusal:
            rejected.append((number, str(refusal), text))
    return IdBlock(len(good) + len(rejected), "".join(good), rejected)


def _filled(lines: Lines) -> Iterator[Line]:
    return (line for line in lines.numbered() if line.refused or line.text.strip())


def _text(line: str) -> object:
    return line


def _json(line: str) -> object:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueRefused(f"Is no JSON: {error}.") from None
    return value.get(COLUMN, "") if isinstance(value, dict) else value


def _column_reader(first: Lines) -> Callable[[str], object]:
    """Take the header off the first lines; return what finds the id in a row."""
    _, header, reason = first.take_first()
    try:
        names = [] if reason else [name.strip() for name in next(csv.reader([header], strict=True))]
    except (csv.Error, StopIteration):
        names = []
    if names.count(COLUMN) != 1:
        raise FileRefused(f"The header must name one column `{COLUMN}`.")
    place, count = names.index(COLUMN), len(names)

    def cell(line: str) -> object:
        try:
            cells = next(csv.reader([line], strict=True))
        except csv.Error as error:
            raise ValueRefused(f"Is no CSV: {error}.") from None
        if len(cells) != count:
            raise ValueRefused(f"Has {len(cells)} values, the header names {count} columns.")
        return cells[place]

    return cell
