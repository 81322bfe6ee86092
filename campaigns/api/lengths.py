"""Bodies whose length nobody says are refused, before anybody takes them for empty ones."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from campaigns.api.errors import length_required


def refuse_chunked_bodies(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: Django reads as much as `Content-Length` says, which is nothing of these."""

    def answer(request: HttpRequest) -> HttpResponse:
        if request.headers.get("Transfer-Encoding") and not request.headers.get("Content-Length"):
            return length_required(request)
        return get_response(request)

    return answer
