"""Pages of devices, by cursor: the millionth costs what the first does."""

from __future__ import annotations

from typing import Any, Final

from rest_framework.exceptions import ErrorDetail, NotFound, ValidationError
from rest_framework.pagination import BasePagination, Cursor, CursorPagination
from rest_framework.request import Request

from devices.api.queries import number_in


class SizedPages(BasePagination):
    """Pages that hold as many as are asked for; more than there may be is refused."""

    page_size: int
    page_size_query_param: str
    max_page_size: int

    def get_page_size(self, request: Request) -> int:
        """Return how many rows a page holds.

        Raises:
            ValidationError: the query's number is none, or too large.
        """
        return number_in(
            request,
            self.page_size_query_param,
            most=self.max_page_size,
            default=self.page_size,
        )

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return the parameters, with their bounds."""
        parameters: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        for one in parameters:
            if one["schema"]["type"] == "integer":
                one["schema"]["minimum"] = 1
            if one["name"] == self.page_size_query_param:
                one["schema"] |= {"maximum": self.max_page_size, "default": self.page_size}
        return parameters


class NewestFirst(SizedPages, CursorPagination):
    """Pages by descending id."""

    ordering = "-pk"
    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 1_000

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Return the cursor that the request names.

        Raises:
            ValidationError: it is none of ours.
        """
        try:
            cursor = super().decode_cursor(request)
        except NotFound as refusal:
            raise _none_of_ours(self.cursor_query_param) from refusal
        if cursor is None or not request.query_params[self.cursor_query_param]:
            return None
        position = "0" if cursor.position is None else str(cursor.position)
        if cursor == _EMPTY or not position.isdecimal() or len(position) > 18:
            raise _none_of_ours(self.cursor_query_param)
        return cursor


_EMPTY: Final = Cursor(offset=0, reverse=False, position=None)
"""What DRF reads in a text that says nothing; no page is led to by it."""


def _none_of_ours(name: str) -> ValidationError:
    words = "It is none of ours: follow `next` and `previous` as they are given."
    return ValidationError({name: [ErrorDetail(words, "invalid")]})
