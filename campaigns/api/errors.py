"""One shape for every error under `/api/`, whoever found it: a view, DRF, or Django before both.

    {"type": "validation_error", "request_id": "…",
     "errors": [{"code": "required", "detail": "This field is required.", "attr": "title"}]}

`type` is `validation_error`, `client_error` or `server_error`; only validation errors may be
several, and only they have an `attr`: the path of the field. A move that the campaign's status
forbids brings `campaign_status` and `allowed_moves` besides.
"""

from __future__ import annotations

import re
from typing import Any, Final

from django.core.exceptions import SuspiciousOperation, TooManyFieldsSent
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from django_guid import get_guid
from drf_standardized_errors.formatter import ExceptionFormatter
from drf_standardized_errors.handler import ExceptionHandler
from drf_standardized_errors.types import ErrorResponse
from rest_framework.exceptions import (
    APIException,
    ErrorDetail,
    NotFound,
    ParseError,
    ValidationError,
)
from rest_framework.settings import api_settings

from campaigns.errors import FieldsRefused, IllegalMove, ScheduledInPast
from campaigns.models import PushCampaign

_UNDER: Final = "/api/"
_FROM_A_QUERY: Final = re.compile(r"No \w+ matches the given query\.$")
"""What Django says of a row that is not there; nobody outside knows our tables' names."""


class MoveRefused(APIException):
    """The campaign's status does not allow this move."""

    status_code = 409
    default_code = "illegal_move"

    def __init__(self, error: IllegalMove) -> None:
        super().__init__(str(error))
        self.further = {"campaign_status": error.status, "allowed_moves": error.allowed}


class Handler(ExceptionHandler):
    """Knows what the domain refuses, besides what DRF knows."""

    def convert_known_exceptions(self, exc: Exception) -> Exception:
        """Return the exception as one that has an HTTP status."""
        if isinstance(exc, IllegalMove):
            return MoveRefused(exc)
        if isinstance(exc, FieldsRefused):
            fields: dict[str, list[ErrorDetail]] = {}
            for problem in exc.problems:
                complaint = ErrorDetail(problem.message, problem.code)
                fields.setdefault(problem.field, []).append(complaint)
            return ValidationError(fields)
        if isinstance(exc, ScheduledInPast):
            return ValidationError({"scheduled_at": [ErrorDetail(str(exc), "in_past")]})
        if isinstance(exc, PushCampaign.DoesNotExist):
            return NotFound("There is no such campaign.")
        if isinstance(exc, Http404) and _FROM_A_QUERY.match(str(exc)):
            # Views are named by what they show: `campaign`, `user-list`.
            shown = getattr(self.context["view"], "basename", "row").replace("-", " ")
            return NotFound(f"There is no such {shown}.")
        return super().convert_known_exceptions(_in_words(exc))


class Formatter(ExceptionFormatter):
    """The library's shape, with the request's id and what the exception has to add."""

    def format_error_response(self, error_response: ErrorResponse) -> dict[str, Any]:
        """Return the body; names that nobody can write down (half a surrogate pair) become `?`."""
        for error in error_response.errors:
            error.attr = _place(error.attr)
            error.detail = _writable(error.detail)
        body: dict[str, Any] = super().format_error_response(error_response)
        return body | getattr(self.exc, "further", {}) | {"request_id": get_guid()}


def _in_words(exc: Exception) -> Exception:
    """Return what Django refuses while a view is at work as DRF's, with what is wrong."""
    if isinstance(exc, Http404) and exc.args:
        return NotFound(str(exc))
    if isinstance(exc, TooManyFieldsSent):
        return ParseError("The query has more parameters than are taken.")
    if isinstance(exc, SuspiciousOperation):
        return ParseError("The request is not acceptable.")
    return exc


def _place(attr: str | None) -> str | None:
    """Return the path of the field; DRF has a name of its own for what no field is to blame for."""
    path = (attr or "").removesuffix(api_settings.NON_FIELD_ERRORS_KEY).rstrip(".")
    return _writable(path) or None


def _writable(text: str) -> str:
    return text.encode(errors="replace").decode()


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what Django refuses before any view sees it: a foreign host, a broken form."""
    if not _is_api(request):
        return defaults.bad_request(request, exception)
    return _answer(400, "client_error", "bad_request", "The request is not acceptable.")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what Django refuses to let in."""
    if not _is_api(request):
        return defaults.permission_denied(request, exception)
    return _answer(403, "client_error", "permission_denied", "This is not allowed.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an address that is none."""
    if not _is_api(request):
        return defaults.page_not_found(request, exception)
    return _answer(404, "client_error", "not_found", "There is nothing at this address.")


def length_required(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - as the others
    """Answer a body that comes in chunks."""
    words = "Say how long the body is, in Content-Length: chunked ones are not read."
    return _answer(411, "client_error", "length_required", words)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a fault of ours; the log has the rest, under the same request id."""
    if not _is_api(request):
        return defaults.server_error(request)
    return _answer(500, "server_error", "error", "Server Error (500)")


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith(_UNDER)


def _answer(status: int, kind: str, code: str, detail: str) -> JsonResponse:
    error = {"code": code, "detail": detail, "attr": None}
    body = {"type": kind, "errors": [error], "request_id": get_guid()}
    return JsonResponse(body, status=status)
