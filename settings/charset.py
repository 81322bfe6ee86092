"""All text of a request is UTF-8, whatever charset its Content-Type claims.

Django would read the query by the charset of the body, with any codec that Python has, and does so
while it makes the request: one that is none of text (`zlib`) fails before anything could answer it.
So the claim is taken off before Django sees it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

_CHARSET: Final = re.compile(r';\s*charset\s*=\s*("[^"]*"|[^;]*)', re.IGNORECASE)

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]
Asgi = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


def wsgi_in_utf_8(application: Wsgi) -> Wsgi:
    """Return the application, deaf to what charset a request claims."""

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["CONTENT_TYPE"] = _CHARSET.sub("", environ.get("CONTENT_TYPE", ""))
        return application(environ, start_response)

    return answer


def asgi_in_utf_8(application: Asgi) -> Asgi:
    """Return the application, deaf to what charset a request claims."""

    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = [(name, _heard(name, value)) for name, value in scope.get("headers", ())]
        await application({**scope, "headers": headers}, receive, send)

    return answer


def _heard(name: bytes, value: bytes) -> bytes:
    if name.lower() != b"content-type":
        return value
    return _CHARSET.sub("", value.decode("latin-1")).encode("latin-1")
