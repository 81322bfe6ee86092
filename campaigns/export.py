"""Deliveries as files: CSV for people and their spreadsheets, NDJSON for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum

import orjson

from campaigns.deliveries import Delivery

COLUMNS = (
    "device_id",
    "user_id",
    "platform",
    "status",
    "error",
    "detail",
    "message_id",
    "sent_at",
)
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class FileFormat(StrEnum):
    """How a file is written."""

    CSV = "csv"
    NDJSON = "ndjson"

    @property
    def media_type(self) -> str:
        """Its name in HTTP."""
        return "text/csv; charset=utf-8" if self == "csv" else "application/x-ndjson"


def written(pages: Iterable[list[Delivery]], *, file_format: FileFormat) -> Iterator[bytes]:
    """Yield the file piece by piece, one for each page; an empty CSV has its header still."""
    write = _WRITERS[file_format]
    if file_format == FileFormat.CSV:
        yield (",".join(COLUMNS) + "\r\n").encode()
    for page in pages:
        yield write(page)


def _csv(page: list[Delivery]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(
        (
            one.device_id,
            _cell(one.user_id or ""),
            one.platform,
            one.status,
            _cell(one.error),
            _cell(one.detail),
            _cell(one.message_id),
            f"{one.sent_at:%Y-%m-%dT%H:%M:%S.%fZ}" if one.sent_at else "",
        )
        for one in page
    )
    return text.getvalue().encode()


def _cell(text: str) -> str:
    """Return the text so that no spreadsheet takes it for a formula (OWASP, "CSV Injection")."""
    return f"'{text}" if text.startswith(_STARTS_A_FORMULA) else text


def _ndjson(page: list[Delivery]) -> bytes:
    return b"".join(
        orjson.dumps(
            {name: getattr(one, name) for name in COLUMNS},
            option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z,
        )
        for one in page
    )


_WRITERS: dict[FileFormat, Callable[[list[Delivery]], bytes]] = {
    FileFormat.CSV: _csv,
    FileFormat.NDJSON: _ndjson,
}
