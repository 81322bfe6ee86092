from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from loadtests.fcm_emulator.tls import TlsFiles
from pushcore.transports.base import Answer, Fault, OpenGate
from pushcore.transports.http2 import Http2Transport, pool
from pushcore.transports.http2.opening import Endpoint, Steps, opening
from tests.pushcore.transports.wire import WireServer, message

Serve = Callable[..., WireServer]
Connect = Callable[..., Http2Transport]


@pytest.fixture
def connect(tls_files: TlsFiles) -> Iterator[Connect]:
    with ExitStack() as transports:

        def make(server: WireServer, **options: float) -> Http2Transport:
            transport = Http2Transport(
                endpoint=server.endpoint,
                project_id="demo",
                access_token=lambda: "secret",
                ca_file=str(tls_files.ca),
                **options,  # type: ignore[arg-type]  # of several types
            )
            transports.callback(transport.close)
            return transport

        yield make


def send(transport: Http2Transport, *tokens: str) -> list[Answer | None]:
    return transport.send([message(token) for token in tokens], gate=OpenGate())


def test_no_more_connections_are_opened_than_messages_need(serve: Serve, connect: Connect) -> None:
    server = serve()
    transport = connect(server, connections=5)
    send(transport, *(f"ok.{number}" for number in range(100)))
    assert server.connections == 1
    send(transport, *(f"slow:30.{number}" for number in range(150)))
    assert server.connections == 2


def test_a_connection_that_was_silent_for_long_is_not_trusted(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    transport = connect(server)
    send(transport, "ok.1")
    monkeypatch.setattr(pool, "MAX_IDLE_S", 0.0)
    send(transport, "ok.2")
    assert server.connections == 2


def test_a_connection_that_swallowed_a_batch_gets_no_further_one(
    serve: Serve, connect: Connect
) -> None:
    server = serve()
    transport = connect(server, timeout_s=0.3)
    send(transport, "ok.0")
    assert send(transport, "hang.1", "hang.2") == [Answer(0, fault=Fault.TIMEOUT)] * 2
    (answer,) = send(transport, "ok.1")
    assert answer is not None
    assert answer.status == 200
    assert server.connections == 2


def test_a_batch_goes_on_without_the_connection_that_could_not_be_made(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    transport = connect(server, connections=2, max_streams=10)
    send(transport, "ok.1")

    def refused(_: Endpoint) -> Steps:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port: int = closed.getsockname()[1]
        return opening(Endpoint("127.0.0.1", port, tls=None))

    monkeypatch.setattr(pool, "opening", refused)
    answers = send(transport, *(f"slow:1.{number}" for number in range(100)))
    assert [answer and answer.status for answer in answers] == [200] * 100
    assert server.connections == 1
