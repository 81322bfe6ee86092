"""Importing a file of devices: streamed into a staging table, then merged, safe to run again.

Where there are no devices at all, rows need not be merged with anything, and go straight in.

A row is checked by the same rules as a registration. What a bad row says is written to the
rejects, with the line and the reason, and the others go on. An import speaks about devices, it is
no device: without a `last_seen_at` in the file a device that exists does not count as seen.
"""

from __future__ import annotations

import csv
import gc
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import IO, Final

from devices.columns import Line, copy_columns, copy_text, copy_value
from devices.direct import Direct
from devices.lines import Source
from devices.merging import Merged
from devices.models import DeviceToken
from devices.projects import row_rules
from devices.reading import Block, FileFormat, read_blocks
from devices.rules import Given, Problem, Row, RowRefused, RowRules
from devices.staging import Staging

_COLLECTED_AFTER: Final = 100_000
"""Objects: more than the rows that are in memory at a time."""
REJECTS_HEADER: Final = ("line", "field", "reason", "row")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is."""

    bytes_read: int = 0
    rows: int = 0
    """Rows read, good and bad."""
    rejected: int = 0
    merged: Merged = field(default_factory=Merged)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Some rows, checked."""

    lines: list[Line]
    """The good ones."""
    rows: int
    rejected: int


class _Counted:
    """A source that says how much of it is read; a pipe cannot."""

    def __init__(self, source: Source) -> None:
        self.bytes_read = 0
        self._source = source

    def read(self, size: int, /) -> bytes:
        data = self._source.read(size)
        self.bytes_read += len(data)
        return data


def import_devices(
    *,
    source: Source,
    file_format: FileFormat,
    project: str | None,
    rejects: IO[str] | None,
    now: datetime,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Progress:
    """Import a file; return what became of its rows.

    `project` is for rows that name none. `rejects` gets one CSV line per broken rule. At the end
    `rows = rejected + created + updated + unchanged + repeated`.

    Raises:
        FileRefused: the file as a whole is none of devices; nothing has changed.
        UnknownProject: there is no such project.
    """
    rules = row_rules(project=project, now=now)
    counted = _Counted(source)
    blocks = read_blocks(counted, file_format)
    progress = Progress()

    def lines() -> Iterator[list[Line]]:
        nonlocal progress
        for chunk in _checked(blocks, rules, rejects):
            progress = replace(
                progress,
                bytes_read=counted.bytes_read,
                rows=progress.rows + chunk.rows,
                rejected=progress.rejected + chunk.rejected,
            )
            on_progress(progress)
            yield chunk.lines

    def note(merged: Merged) -> None:
        nonlocal progress
        progress = replace(progress, merged=merged)
        on_progress(progress)

    with _seldom_collecting(), Staging() as staging:
        rest = lines()
        if not DeviceToken.objects.exists():
            rest = _what_is_left(rest, now=now, projects=rules.project_keys, note=note)
        staging.fill(map(copy_text, rest))
        straight_in = progress.merged
        staging.merge(
            now=now,
            projects=rules.project_keys,
            on_progress=lambda merged: note(straight_in + merged),
        )
    return progress


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Let the garbage collector rest: rows come and go by the thousand, with no cycle among them.

    It took a sixth of the time of reading a file.
    """
    usual, *older = gc.get_threshold()
    if usual in {0, _COLLECTED_AFTER}:  # it is off, or an import beside this one has done so
        yield
        return
    gc.set_threshold(_COLLECTED_AFTER, *older)
    try:
        yield
    finally:
        gc.set_threshold(usual, *older)


def _what_is_left(
    rest: Iterator[list[Line]],
    *,
    now: datetime,
    projects: Collection[int],
    note: Callable[[Merged], None],
) -> Iterator[list[Line]]:
    """Copy rows straight to the devices, as long as that goes; yield the others."""
    told = 0
    with Direct(now=now, projects=projects) as direct:
        for lines in rest:
            direct.put(lines)
            if not direct.is_open:
                break
            if direct.created > told:
                told = direct.created
                note(Merged(created=told))
        left = direct.end()
    note(Merged(created=direct.created))
    yield from left
    yield from rest


def _checked(blocks: Iterator[Block], rules: RowRules, rejects: IO[str] | None) -> Iterator[_Chunk]:
    writer = csv.writer(rejects, lineterminator="\n") if rejects is not None else None
    if writer is not None:
        writer.writerow(REJECTS_HEADER)
    for block in blocks:
        lines = None if block.columns is None else copy_columns(block.columns, rules)
        if lines is not None:
            yield _Chunk(lines, block.rows, rejected=0)
            continue
        good: list[Line] = []
        for line, row_text, given in block.one_by_one():
            try:
                good.append(_copy_line(_row(given, rules)))
            except RowRefused as refusal:
                if writer is not None:
                    writer.writerows((line, *problem, row_text) for problem in refusal.problems)
        yield _Chunk(good, block.rows, rejected=block.rows - len(good))


def _row(given: Given | Problem, rules: RowRules) -> Row:
    if isinstance(given, Problem):
        raise RowRefused([given])
    return rules.check(given)


def _copy_line(row: Row) -> Line:
    """Return the row in COPY's text format, in the order of `staging.COLUMNS`."""
    user_id, address, tags, seen = map(
        copy_value, (row.user_id, row.address, row.tags, row.last_seen_at)
    )
    return ("\t".join(map(copy_value, row.facts)), user_id, address, tags, seen)
