"""The emulator on a wire of its own making, which can break in every way that HTTP/2 can."""

from __future__ import annotations

import asyncio
import socket
from typing import cast

from loadtests.fcm_emulator import frames
from loadtests.fcm_emulator.behaviours import WireFault
from loadtests.fcm_emulator.exchange import Exchange
from loadtests.fcm_emulator.http1_connection import Http1Connection
from loadtests.fcm_emulator.http2_connection import Http2Connection
from loadtests.fcm_emulator.judge import Judge
from loadtests.fcm_emulator.routes import TOKEN_PATH
from loadtests.fcm_emulator.tls import TlsFiles

FAULTS = frozenset(WireFault)


class _FirstBytes(asyncio.Protocol):
    """Looks at how a connection begins, and hands it to the protocol that it speaks.

    Each connection's first bytes decide, with TLS and without: HTTP/2 has its preface.
    """

    def __init__(self, exchange: Exchange, *, max_streams: int) -> None:
        self._exchange = exchange
        self._max_streams = max_streams
        self._begun = b""
        self._speaker: Http1Connection | Http2Connection | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but type

    def data_received(self, data: bytes) -> None:
        if self._speaker is not None:
            self._speaker.data_received(data)
            return
        self._begun += data
        preface = frames.PREFACE
        if self._begun.startswith(preface):
            self._speaker = Http2Connection(
                self._transport, self._exchange, max_streams=self._max_streams
            )
            self._speaker.data_received(self._begun[len(preface) :])
        elif not preface.startswith(self._begun):
            self._speaker = Http1Connection(self._transport, self._exchange)
            self._speaker.data_received(self._begun)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  the parent's
        if self._speaker is not None:
            self._speaker.connection_lost()


async def serve(
    judge: Judge, listener: socket.socket, *, tls: TlsFiles | None, url: str, max_streams: int
) -> None:
    """Serve until cancelled."""
    loop = asyncio.get_running_loop()
    exchange = Exchange(judge, loop, token_uri=url + TOKEN_PATH)
    server = await loop.create_server(
        lambda: _FirstBytes(exchange, max_streams=max_streams),
        sock=listener,
        ssl=tls.server_context() if tls else None,
        backlog=1_024,
    )
    await server.serve_forever()
