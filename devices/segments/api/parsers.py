"""Files of user ids."""

from __future__ import annotations

from devices.api.parsers import FileParser
from devices.segments.reading import ListFormat


class TextIdsParser(FileParser):
    """An id a line."""

    media_type = "text/plain"
    file_format = ListFormat.TEXT


class CsvIdsParser(FileParser):
    """A CSV file with a column `user_id`."""

    media_type = "text/csv"
    file_format = ListFormat.CSV


class NdjsonIdsParser(FileParser):
    """A JSON text, or object with `user_id`, a line."""

    media_type = "application/x-ndjson"
    file_format = ListFormat.NDJSON
