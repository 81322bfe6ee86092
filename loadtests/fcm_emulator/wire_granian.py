"""The emulator served by granian: a full HTTP/1.1 and HTTP/2 server that is not our own.

It can answer, answer late, or not at all. It cannot reset streams or drop connections, so the
behaviours that need it are refused with this wire; `wire_h2` has them.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP2Settings
from granian.net import SocketHolder  # type: ignore[attr-defined]  # it is re-exported there
from granian.server.embed import Server

from loadtests.fcm_emulator import answers
from loadtests.fcm_emulator.behaviours import WireFault
from loadtests.fcm_emulator.judge import Judge, Ruling
from loadtests.fcm_emulator.routes import NOT_FOUND, is_token_request, project_of
from loadtests.fcm_emulator.tls import TlsFiles

FAULTS = frozenset({WireFault.HANG})
_BACKLOG = 1_024


class _BoundServer(Server):
    """Granian on a socket that is bound already: its own binding lets two servers share a port."""

    def __init__(self, listener: socket.socket, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._listener = listener

    def _init_shared_socket(self) -> None:
        holder: Any = SocketHolder  # its constructor is missing from granian's stubs
        self._shd: Any = holder(self._listener.fileno(), False, _BACKLOG)


class _Ticks:
    """Waiting by the millisecond: one timer and one future for all that end in the same one."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: dict[int, asyncio.Future[None]] = {}

    def wait(self, delay_ms: float) -> asyncio.Future[None]:
        """Return what is done after at least `delay_ms`."""
        tick = int(self._loop.time() * 1_000 + delay_ms) + 1
        future = self._due.get(tick)
        if future is None:
            future = self._due[tick] = self._loop.create_future()
            self._loop.call_at(tick / 1_000, self._end, tick)
        return future

    def _end(self, tick: int) -> None:
        self._due.pop(tick).set_result(None)


class _App:
    """The RSGI application."""

    def __init__(self, judge: Judge, ticks: _Ticks, token_uri: str) -> None:
        self._judge = judge
        self._ticks = ticks
        self._token_uri = token_uri

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""
        body = await protocol()
        project = project_of(scope.method, scope.path)
        if project is not None:
            ruling = self._judge.send(project, scope.headers.get("authorization"), body)
        elif is_token_request(scope.method, scope.path):
            ruling = self._judge.token(body, audience=self._token_uri)
        else:
            ruling = NOT_FOUND
        if ruling.fault is WireFault.HANG:
            await protocol.client_disconnect()
            return
        if ruling.delay_ms:
            await self._ticks.wait(ruling.delay_ms)
        protocol.response_bytes(ruling.status, _headers(ruling), ruling.body)


_PLAIN_HEADERS = [("content-type", answers.JSON_TYPE)]


def _headers(ruling: Ruling) -> list[tuple[str, str]]:
    if ruling.status == 200:
        return _PLAIN_HEADERS
    return list(answers.headers(ruling.status, ruling.body, ruling.retry_after).items())


async def serve(
    judge: Judge, listener: socket.socket, *, tls: TlsFiles | None, url: str, max_streams: int
) -> None:
    """Serve until cancelled."""
    ticks = _Ticks(asyncio.get_running_loop())
    server = _BoundServer(
        listener,
        target=_App(judge, ticks, f"{url}/token"),
        interface=Interfaces.RSGI,
        http=HTTPModes.auto,
        backlog=_BACKLOG,
        backpressure=1 << 20,  # the client's streams bound what is in flight, not granian
        http2_settings=HTTP2Settings(max_concurrent_streams=max_streams),
        log_enabled=False,
        ssl_cert=tls.cert if tls else None,
        ssl_key=tls.key if tls else None,
    )
    await server.serve()
