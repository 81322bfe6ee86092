"""One HTTP/1.1 connection: what firebase-admin's and google-auth's clients speak (RFC 9112)."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from loadtests.fcm_emulator import answers
from loadtests.fcm_emulator.behaviours import WireFault
from loadtests.fcm_emulator.exchange import Exchange, Head, head_of
from loadtests.fcm_emulator.judge import Ruling

_MAX_HEAD_BYTES = 65_536
_END_OF_HEAD = b"\r\n\r\n"


class Http1Connection:
    """The server's side of one keep-alive connection; requests are answered one at a time."""

    def __init__(self, transport: asyncio.Transport, exchange: Exchange) -> None:
        self._transport = transport
        self._exchange = exchange
        self._unparsed = b""
        self._busy = False
        self._ended = False
        self._output = b""

    def data_received(self, data: bytes) -> None:
        """Take in what the client sent."""
        self._unparsed += data
        if not self._busy:
            self._take_request()

    def connection_lost(self) -> None:
        """Take note that nobody listens any more."""
        self._ended = True

    def flush(self) -> None:
        """Write the output so far, and go on with what came meanwhile."""
        if self._output and not self._ended:
            self._transport.write(self._output)
        self._output = b""
        if not self._busy and self._unparsed:
            self._take_request()

    def _take_request(self) -> None:
        raw, separator, rest = self._unparsed.partition(_END_OF_HEAD)
        if not separator:
            if len(raw) > _MAX_HEAD_BYTES:
                self._transport.abort()
            return
        request_line, *lines = raw.decode("latin-1").split("\r\n")
        fields = {name.strip().lower(): value.strip() for name, _, value in _split(lines)}
        size = fields.get("content-length", "0")
        method, path, *_ = [*request_line.split(" "), "", ""]
        if "transfer-encoding" in fields or not size.isdecimal():
            self._refuse(HTTPStatus.LENGTH_REQUIRED)
        elif len(rest) >= int(size):
            self._unparsed = rest[int(size) :]
            head = head_of(method, path, fields.get("authorization"))
            self._decide(head, rest[: int(size)])
        elif fields.get("expect", "").lower() == "100-continue" and not rest:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _refuse(self, status: HTTPStatus) -> None:
        self._transport.write(
            f"HTTP/1.1 {status} {status.phrase}\r\ncontent-length: 0\r\n\r\n".encode()
        )
        self._transport.close()

    def _decide(self, head: Head, body: bytes) -> None:
        self._busy = True
        judge = self._exchange.judge
        if head.project is not None and judge.resets_unread():
            self._transport.abort()
            return
        ruling = self._exchange.decide(head, body)
        if ruling.fault is not WireFault.HANG:
            self._exchange.answer_later(self, 0, ruling)

    def answer(self, stream: int, ruling: Ruling) -> bool:  # noqa: ARG002  there is but one
        """Put an answer into the output, or end the connection for a fault; False if it is gone."""
        if self._ended:
            return False
        if ruling.fault is not None:
            # HTTP/1.1 has no way to end one request but to end the connection.
            self._transport.abort()
            return True
        self._busy = False
        headers = answers.headers(ruling.status, ruling.body, ruling.retry_after)
        lines = [f"{name}: {value}" for name, value in headers.items()]
        status = HTTPStatus(ruling.status)
        head = "\r\n".join([f"HTTP/1.1 {status.value} {status.phrase}", *lines])
        self._output += f"{head}\r\ncontent-length: {len(ruling.body)}\r\n\r\n".encode()
        self._output += ruling.body
        return True


def _split(lines: list[str]) -> list[tuple[str, str, str]]:
    return [line.partition(":") for line in lines]
