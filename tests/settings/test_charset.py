from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.http import QueryDict
from django.test import RequestFactory

from settings.charset import asgi_in_utf_8, wsgi_in_utf_8
from settings.wsgi import application

CHARSETS = ["zlib", '"zlib"', "rot13", "utf-16", "latin-1", "idna", "none"]


def environ(path: str, content_type: str) -> dict[str, Any]:
    """Return what a web server says of a request."""
    asked: WSGIRequest = RequestFactory().get(path)
    return {**asked.environ, "CONTENT_TYPE": content_type}


@pytest.mark.parametrize("charset", CHARSETS)
def test_a_query_is_utf_8_whatever_charset_is_claimed(charset: str) -> None:
    heard: list[QueryDict] = []

    def listen(environ: dict[str, Any], _start_response: Any) -> list[bytes]:
        heard.append(WSGIRequest(environ).GET)
        return []

    asked = environ("/?search=Gr%C3%B6%C3%9Fe", f"application/json; Charset={charset}; x=y")
    wsgi_in_utf_8(listen)(asked, None)
    assert heard == [QueryDict("search=Größe")]


@pytest.mark.usefixtures("in_one_connection")
@pytest.mark.parametrize("charset", CHARSETS)
def test_the_web_server_answers_whatever_charset_is_claimed(charset: str) -> None:
    said: list[str] = []
    asked = environ("/nowhere/?a=b", f"application/json; charset={charset}")
    list(application(asked, lambda status, *_: said.append(status)))
    assert said == ["404 Not Found"]


def test_what_else_the_content_type_says_is_kept() -> None:
    heard: list[Any] = []

    async def listen(scope: dict[str, Any], _receive: Any, _send: Any) -> None:
        heard.extend(scope["headers"])

    said = [
        (b"accept", b"text/html; charset=zlib"),
        (b"Content-Type", b"multipart/form-data; charset=zlib; boundary=a"),
    ]

    async def ask() -> None:
        await asgi_in_utf_8(listen)({"type": "http", "headers": said}, None, None)

    asyncio.run(ask())
    assert heard == [said[0], (b"Content-Type", b"multipart/form-data; boundary=a")]
