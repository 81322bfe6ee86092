"""How tests make a transport to a server and send by it."""

from __future__ import annotations

from collections.abc import Callable

from pushcore.transports.base import Answer, Fault, OpenGate
from pushcore.transports.curl import CurlTransport
from pushcore.transports.http2 import Http2Transport
from tests.pushcore.transports.wire import WireServer, message

HttpTransport = Http2Transport | CurlTransport
KINDS: dict[str, type[HttpTransport]] = {"http2": Http2Transport, "curl": CurlTransport}
Serve = Callable[..., WireServer]
Connect = Callable[..., HttpTransport]


def send(transport: HttpTransport, *tokens: str) -> list[Answer]:
    answers = transport.send([message(token) for token in tokens], gate=OpenGate())
    assert None not in answers
    return [answer for answer in answers if answer is not None]


def faults(answers: list[Answer]) -> list[Fault | None]:
    return [answer.fault for answer in answers]


def warmed(transport: HttpTransport) -> HttpTransport:
    """Have a connection that the next messages reuse: only there does libcurl send again."""
    assert [answer.status for answer in send(transport, "ok.warm-up")] == [200]
    return transport
