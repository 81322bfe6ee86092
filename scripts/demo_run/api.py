"""The demo's way to the engine: the same HTTP API that everybody uses."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from scripts.demo_run.errors import DemoError

Json = dict[str, Any]
TIMEOUT_S = 30.0
START_TIMEOUT_S = 120.0
"""Of the web server, on a machine that is busy otherwise; one that ended is noticed at once."""


class Api:
    """A client of one web server, with an API key."""

    def __init__(self, url: str, *, api_key: str) -> None:
        self.url = url
        self._key = api_key
        # A proxy of the environment has no business between two processes on loopback.
        self._opener = build_opener(ProxyHandler({}))

    def wait_until_up(self, check: Callable[[], None]) -> None:
        """Wait for the server's first answer; `check` raises where waiting is in vain.

        Raises:
            DemoError: it does not answer in time.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            check()
            try:
                self.get("campaigns/active/")
            except URLError as exc:
                if time.monotonic() > deadline:
                    message = f"The web server at {self.url} does not answer: {exc.reason}."
                    raise DemoError(message) from exc
                time.sleep(0.1)
            else:
                return

    def get(self, path: str) -> Any:
        """Return what `GET /api/<path>` answers; errors as of `post`."""
        return self._call(Request(f"{self.url}/api/{path}"))  # noqa: S310 - it is our own server

    def post(self, path: str, body: Json) -> Any:
        """Return what `POST /api/<path>` answers.

        Raises:
            DemoError: it refuses, with its own words.
            URLError: it cannot be reached.
        """
        request = Request(f"{self.url}/api/{path}", data=json.dumps(body).encode())  # noqa: S310
        request.add_header("Content-Type", "application/json")
        return self._call(request)

    def _call(self, request: Request) -> Any:
        request.add_header("Authorization", f"Api-Key {self._key}")
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                return json.loads(answer.read())
        except HTTPError as exc:
            words = exc.read(500).decode(errors="replace").strip().partition("\n")[0]
            message = f"The API answers {exc.code} to {request.get_method()} {request.selector}:"
            raise DemoError(f"{message} {words}") from exc
