"""A client over HTTP/2 and TLS that tells what became of each request on the wire."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from types import TracebackType
from typing import Any

import pycurl

from loadtests.fcm_emulator.process import Emulator

PROJECT = "demo-project"


def message(token: str, **parts: Any) -> dict[str, Any]:
    """Return a request to send a plain notification."""
    return {"message": {"token": token, "notification": {"title": "Hi", "body": "there"}, **parts}}


@dataclass
class Reply:
    """What came back for one request."""

    status: int = 0
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    error: str = ""
    """libcurl's words where there was no answer."""
    seconds: float = 0.0
    connections: int = 0
    """New connections that were made for it."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def fcm_code(self) -> str | None:
        details = self.json["error"].get("details", [])
        return next((d["errorCode"] for d in details if "errorCode" in d), None)

    @property
    def fields(self) -> list[str]:
        """The paths that the answer finds fault with."""
        details = self.json["error"].get("details", [])
        return [v["field"] for d in details for v in d.get("fieldViolations", [])]


class Wire:
    """Sends requests over connections that it keeps, all at once, and waits for them."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.url = emulator.send_url(PROJECT)
        self.access_token = emulator.control.access_token()
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        self._multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, 1)

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._multi.close()

    def send(self, token: str, **parts: Any) -> Reply:
        """Send one plain notification."""
        return self.post(message(token, **parts))

    def post(self, body: Any, *, timeout_s: float = 10) -> Reply:
        """Post one body (bytes as they are, else as JSON) to `messages:send`."""
        return self.post_all([body], timeout_s=timeout_s)[0]

    def post_all(self, bodies: Sequence[Any], *, timeout_s: float = 10) -> list[Reply]:
        """Post the bodies at once, over one connection."""
        replies, handles = [], []
        for body in bodies:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            reply, handle = self._handle(raw, timeout_s)
            replies.append(reply)
            handles.append(handle)
            self._multi.add_handle(handle)
        problems = self._finish(len(handles))
        for reply, handle in zip(replies, handles, strict=True):
            reply.status = handle.getinfo(pycurl.RESPONSE_CODE)
            reply.seconds = handle.getinfo(pycurl.TOTAL_TIME)
            reply.connections = handle.getinfo(pycurl.NUM_CONNECTS)
            reply.body = handle.sink.getvalue()
            reply.error = problems.get(handle, "")
            handle.close()
        return replies

    def _handle(self, body: bytes, timeout_s: float) -> tuple[Reply, Any]:
        reply = Reply()
        handle: Any = pycurl.Curl()
        handle.sink = BytesIO()
        handle.setopt(pycurl.URL, self.url)
        handle.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
        handle.setopt(pycurl.PIPEWAIT, 1)
        handle.setopt(pycurl.NOSIGNAL, 1)
        handle.setopt(pycurl.CAINFO, str(self.emulator.ca_file))
        handle.setopt(pycurl.TIMEOUT_MS, int(timeout_s * 1_000))
        handle.setopt(pycurl.HTTPHEADER, self._headers())
        handle.setopt(pycurl.POSTFIELDS, body)
        handle.setopt(pycurl.WRITEFUNCTION, handle.sink.write)

        def note_header(line: bytes) -> None:
            name, separator, value = line.decode().partition(":")
            if separator:
                reply.headers[name.lower()] = value.strip()

        handle.setopt(pycurl.HEADERFUNCTION, note_header)
        return reply, handle

    def _headers(self) -> list[str]:
        plain = ["Content-Type: application/json"]
        return (
            [*plain, f"Authorization: Bearer {self.access_token}"] if self.access_token else plain
        )

    def _finish(self, count: int) -> dict[pycurl.Curl, str]:
        """Wait for as many; return what went wrong with those that got no answer."""
        problems: dict[pycurl.Curl, str] = {}
        while count:
            self._multi.select(0.05)
            self._multi.perform()
            _, done, failed = self._multi.info_read()
            for handle, _, problem in failed:
                problems[handle] = problem or "failed"
                self._multi.remove_handle(handle)
            for handle in done:
                self._multi.remove_handle(handle)
            count -= len(done) + len(failed)
        return problems
