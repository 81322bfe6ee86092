"""Rows in COPY's binary format, which PostgreSQL takes in at three quarters of the cost of text.

Most of that are the moments: a number each, in place of a date to be read. The format is that of
PostgreSQL's manual, "COPY": a header, per row a count of fields and per field a length and the
type's own bytes, and a trailer; all numbers big-endian.

Rows are put together as strings of which each character is one byte, for that is what Python joins
quickest.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from devices.columns import ESCAPES, NOTHING, Line
from devices.values import MAX_ADDRESS
from pushcore.messages import AddressKind

COLUMNS: Final = (
    "project_id, platform, address_kind, language, country, timezone, app_version,"
    " created_at, updated_at, last_seen_at, tags, user_id, address"
)
"""In the order in which `Rows` gives them."""
HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = b"\xff\xff"
_FIELDS: Final = struct.pack(">h", 13).decode("latin-1")
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_SIZES: Final = [struct.pack(">i", size).decode("latin-1") for size in range(MAX_ADDRESS + 1)]
"""The lengths that texts can have."""
_KIND: Final = 1
"""Where a row's facts name the kind of its address, after its project and platform."""
_MEANT: Final = {escaped[1]: chr(code) for code, escaped in ESCAPES.items()}
_ESCAPED: Final = re.compile(r"\\(.)")


class Rows:
    """Turns lines into new devices, with what the lines do not say."""

    def __init__(self, *, now: datetime) -> None:
        self._now = _moment(now)
        self._no_tags = _tags("{}")
        # What many rows have in common; a file has a few hundred of them.
        self._begin = lru_cache(maxsize=10_000)(self._begin_of)

    def bytes_of(self, lines: Sequence[Line]) -> bytes:
        """Return rows as COPY takes them between `HEADER` and `TRAILER`."""
        facts, users, addresses, tags, seen = zip(*lines, strict=True)
        now, no_tags, begin = self._now, self._no_tags, self._begin
        return "".join(
            [
                f"{begin(fact)}{now if moment == NOTHING else _seen(moment)}"
                f"{no_tags if tag == NOTHING else _tags(tag)}"
                f"{_SIZES[len(user)]}{user}{_SIZES[len(address)]}{address}"
                for fact, user, address, tag, moment in zip(
                    facts, _as_bytes(users), _as_bytes(addresses), tags, seen, strict=True
                )
            ]
        ).encode("latin-1")

    def _begin_of(self, facts: str) -> str:
        project, *rest = facts.split("\t")
        said = ["" if value == NOTHING else _meant(value) for value in rest]
        said[_KIND] = said[_KIND] or AddressKind.TOKEN.value
        texts = (_field(value.encode()) for value in said)
        key = _field(struct.pack(">q", int(project)))
        return "".join((_FIELDS, key, *texts, self._now, self._now))


def _as_bytes(values: Sequence[str]) -> Sequence[str]:
    everything = "".join(values)
    if everything.isascii() and "\\" not in everything:
        return values
    return [_meant(value).encode().decode("latin-1") for value in values]


def _meant(value: str) -> str:
    """Return what COPY's text format says: the inverse of `columns.copy_value`."""
    return _ESCAPED.sub(lambda found: _MEANT[found[1]], value) if "\\" in value else value


def _field(data: bytes) -> str:
    return (struct.pack(">i", len(data)) + data).decode("latin-1")


def _tags(value: str) -> str:
    return _field(b"\x01" + _meant(value).encode())  # the version of jsonb's format


def _seen(value: str) -> str:
    return _moment(datetime.fromisoformat(value))


def _moment(moment: datetime) -> str:
    return _field(struct.pack(">q", (moment - _EPOCH) // timedelta(microseconds=1)))
