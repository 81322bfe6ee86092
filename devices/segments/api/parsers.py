"""Files of user ids, left to be read from the connection: they are never in memory as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any, ClassVar

from rest_framework.parsers import BaseParser

from devices.segments.reading import ListFormat


class _IdsParser(BaseParser):
    file_format: ClassVar[ListFormat]

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return the `file_format`, and the `file`: the stream itself."""
        return {"file_format": self.file_format, "file": stream}


class TextIdsParser(_IdsParser):
    """An id a line."""

    media_type = "text/plain"
    file_format = ListFormat.TEXT


class CsvIdsParser(_IdsParser):
    """A CSV file with a column `user_id`."""

    media_type = "text/csv"
    file_format = ListFormat.CSV


class NdjsonIdsParser(_IdsParser):
    """A JSON text, or object with `user_id`, a line."""

    media_type = "application/x-ndjson"
    file_format = ListFormat.NDJSON
