"""Bodies of many devices: JSON arrays and NDJSON for bulk calls, files for imports."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import IO, Any, ClassVar

import orjson
from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from devices.api.bodies import TooLarge, read_body
from devices.reading import FileFormat, read_object
from devices.rules import Given, Problem


class JsonRowsParser(BaseParser):
    """A JSON array of devices."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, list[Given | Problem]]:
        """Return `rows`: the array's objects, and a problem for each element that is none."""
        try:
            rows = orjson.loads(read_body(stream, limit=settings.BULK_MAX_BYTES))
        except orjson.JSONDecodeError as error:
            raise ParseError(f"The body is no JSON: {error}.") from None
        if not isinstance(rows, list):
            raise ParseError("The body must be an array of devices.")
        return _counted(
            [row if isinstance(row, dict) else Problem("", "Must be an object.") for row in rows]
        )


class NdjsonRowsParser(BaseParser):
    """One JSON object per line."""

    media_type = "application/x-ndjson"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, list[Given | Problem]]:
        """Return `rows`: the objects, and a problem for each line that is none; not the empty."""
        body = read_body(stream, limit=settings.BULK_MAX_BYTES)
        lines = (line for line in body.split(b"\n") if line.strip())
        return _counted([read_object(line) for line in lines])


class FileParser(BaseParser):
    """A file, left to be read from the connection: it is never in memory as a whole."""

    file_format: ClassVar[StrEnum]

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return the `file_format`, and the `file`: the stream itself."""
        return {"file_format": self.file_format, "file": stream}


class CsvFileParser(FileParser):
    """A CSV file."""

    media_type = "text/csv"
    file_format = FileFormat.CSV


class NdjsonFileParser(FileParser):
    """An NDJSON file."""

    media_type = "application/x-ndjson"
    file_format = FileFormat.NDJSON


def _counted(rows: list[Given | Problem]) -> dict[str, list[Given | Problem]]:
    most = settings.BULK_MAX_ROWS
    if len(rows) > most:
        raise TooLarge(
            f"A bulk call takes {most} devices at most, not {len(rows)}; import a file instead."
        )
    return {"rows": rows}
