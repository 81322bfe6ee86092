"""Pages of devices, by cursor: the millionth costs what the first does."""

from __future__ import annotations

from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request


class NewestFirst(CursorPagination):
    """Pages by descending id."""

    ordering = "-pk"
    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 1_000

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Return the cursor that the request names.

        Raises:
            NotFound: it is none of ours.
        """
        cursor = super().decode_cursor(request)
        if cursor is None or cursor.position is None:
            return cursor
        position = str(cursor.position)
        if not position.isdecimal() or len(position) > 18:
            raise NotFound(self.invalid_cursor_message)
        return cursor
