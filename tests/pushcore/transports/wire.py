"""A server that breaks HTTP/2 in each way a transport has to survive, and counts what it read.

The token of a message says what is done about it: `<behaviour>[:<argument>].<anything>`.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable
from typing import Self, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hyperframe.frame import GoAwayFrame

PATH = "/v1/projects/demo/messages:send"
UNEXPLAINED = (
    b'{"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "Words.", "details": ['
    b'{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError",'
    b' "errorCode": "INVALID_ARGUMENT"}]}}'
)
"""A refusal that may be for the address as well as for the payload."""


def message(token: str) -> bytes:
    """The body of one `messages:send` request."""
    return json.dumps({"message": {"token": token}}).encode()


class WireServer:
    """Serves in a thread of its own from `with` to its end; the counts are read by the test."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, max_streams: int = 100) -> None:
        self.max_streams = max_streams
        self.read: Counter[str] = Counter()
        """How often each token's request was read to its end."""
        self.authorizations: Counter[str] = Counter()
        self.connections = 0
        self.most_streams = 0
        """The most streams that were open at a time on one connection."""
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self._wires: set[_Wire] = set()
        self._handshakes: set[asyncio.Task[object]] = set()

    @property
    def endpoint(self) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._loop.call_soon_threadsafe(self._loop.add_reader, self._listener, self._accept)
        return self

    def __exit__(self, *exc_info: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        sock.setblocking(False)
        wire = self._loop.connect_accepted_socket(lambda: _Wire(self), sock, ssl=self._tls)
        handshake: asyncio.Task[object] = self._loop.create_task(wire)
        self._handshakes.add(handshake)
        handshake.add_done_callback(self._handshakes.discard)

    async def _end(self) -> None:
        """Close every socket, so that none is left to the garbage collector."""
        self._loop.remove_reader(self._listener)
        self._listener.close()
        # A plain connection is there in some turns of the loop; one of TLS that is not yet is given
        # up, which closes its transport in the turns after.
        await self._turns()
        for handshake in list(self._handshakes):
            handshake.cancel()
        await asyncio.gather(*self._handshakes, return_exceptions=True)
        for wire in list(self._wires):
            wire.transport.abort()
        while self._wires:
            await asyncio.sleep(0.001)
        await self._turns()

    async def _turns(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    def opened(self, wire: _Wire) -> None:
        self.connections += 1
        self._wires.add(wire)

    def lost(self, wire: _Wire) -> None:
        self._wires.discard(wire)

    def cut_all(self) -> None:
        """Reset every connection, as seen from the test's thread."""

        async def cut() -> None:
            for wire in list(self._wires):
                wire.reset_connection()

        asyncio.run_coroutine_threadsafe(cut(), self._loop).result()


class _Wire(asyncio.Protocol):
    """One connection."""

    transport: asyncio.Transport

    def __init__(self, server: WireServer) -> None:
        self.server = server
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.bodies: dict[int, bytes] = {}
        self.held: dict[int, str] = {}
        self.last_answered = 1 << 31

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        # asyncio sets it by itself only where the socket names its protocol: 40 ms each time.
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server.opened(self)
        self.h2.initiate_connection()
        self.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: self.server.max_streams})
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.lost(self)

    def data_received(self, data: bytes) -> None:
        try:
            events = self.h2.receive_data(data)
        except ProtocolError:
            self.transport.abort()
            return
        for event in events:
            self.handle(event)
        self.flush()

    def handle(self, event: Event) -> None:
        if isinstance(event, RequestReceived) and event.stream_id is not None:
            headers = dict(cast("list[tuple[str, str]]", event.headers))
            assert headers[":path"] == PATH
            assert headers["content-type"] == "application/json"
            self.server.authorizations[headers["authorization"]] += 1
            self.bodies[event.stream_id] = b""
            self.server.most_streams = max(self.server.most_streams, len(self.bodies))
        elif isinstance(event, DataReceived) and event.stream_id is not None:
            self.bodies[event.stream_id] += event.data or b""
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded) and event.stream_id is not None:
            self.behave(event.stream_id)
        elif isinstance(event, StreamReset) and event.stream_id is not None:
            self.bodies.pop(event.stream_id, None)

    def behave(self, stream: int) -> None:
        token: str = json.loads(self.bodies[stream])["message"]["token"]
        self.server.read[token] += 1
        name, _, argument = token.partition(".")[0].partition(":")
        behaviour = cast("Callable[[int, str], None]", getattr(self, f"do_{name}"))
        behaviour(stream, argument)

    def flush(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(self.h2.data_to_send())

    def answer(
        self, stream: int, status: int, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        fields = [(":status", str(status)), *(headers or {}).items()]
        self.h2.send_headers(stream, fields, end_stream=not body)
        if body:
            self.h2.send_data(stream, body, end_stream=True)
        self.bodies.pop(stream)

    def answer_at_length(
        self, stream: int, status: int, body: bytes, *, is_announced: bool
    ) -> None:
        """Answer with a body of more than a frame, its length announced or not."""
        fields = [(":status", str(status))]
        if is_announced:
            fields.append(("content-length", str(len(body))))
        self.h2.send_headers(stream, fields)
        for start in range(0, len(body), 15_000):
            self.h2.send_data(stream, body[start : start + 15_000])
        self.h2.end_stream(stream)
        self.bodies.pop(stream)

    def reset_connection(self) -> None:
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    # What a token can ask for.

    def do_ok(self, stream: int, _: str) -> None:
        self.answer(stream, 200, b'{"name": "projects/demo/messages/%d"}' % stream)

    def do_status(self, stream: int, status: str) -> None:
        self.answer(stream, int(status), b'{"error": {}}')

    def do_later(self, stream: int, seconds: str) -> None:
        self.answer(stream, 503, b"", {"retry-after": seconds})

    def do_html(self, stream: int, _: str) -> None:
        self.answer(stream, 502, b"<html>Bad Gateway</html>")

    def do_huge(self, stream: int, announced: str) -> None:
        """Answer 500 with far too much, its length announced or not."""
        self.answer_at_length(stream, 500, b"x" * 60_000, is_announced=bool(announced))

    def do_portal(self, stream: int, announced: str) -> None:
        """Answer 200 with a page that is not FCM's."""
        self.answer_at_length(stream, 200, b"<html>" * 10_000, is_announced=bool(announced))

    def do_unexplained(self, stream: int, _: str) -> None:
        self.answer(stream, 400, UNEXPLAINED)

    def do_picky(self, stream: int, _: str) -> None:
        """Refuse a message that shows something, without a word of why; accept a bare one."""
        if "notification" in json.loads(self.bodies[stream])["message"]:
            self.do_unexplained(stream, "")
        else:
            self.do_ok(stream, "")

    def do_echo(self, stream: int, _: str) -> None:
        """Refuse with words that repeat the message and our access token."""
        said = self.bodies[stream].decode() + " ".join(self.server.authorizations)
        error = {"code": 400, "status": "INVALID_ARGUMENT", "message": said}
        self.answer(stream, 400, json.dumps({"error": error}).encode())

    def do_torn(self, stream: int, status: str) -> None:
        """Say a status, then half a body, then reset the stream."""
        self.h2.send_headers(stream, [(":status", status)])
        self.h2.send_data(stream, b'{"name": "proj')
        self.h2.reset_stream(stream, ErrorCodes.INTERNAL_ERROR)
        self.bodies.pop(stream)

    def do_hang(self, stream: int, _: str) -> None:
        """Never answer."""

    def do_slow(self, stream: int, milliseconds: str) -> None:
        asyncio.get_running_loop().call_later(int(milliseconds) / 1000, self.do_slow_end, stream)

    def do_slow_end(self, stream: int) -> None:
        if stream in self.bodies and not self.transport.is_closing():
            self.do_ok(stream, "")
            self.flush()

    def do_rst(self, stream: int, error: str) -> None:
        self.h2.reset_stream(stream, ErrorCodes[error])
        self.bodies.pop(stream)

    def do_cut(self, stream: int, _: str) -> None:
        """Reset the TCP connection."""
        self.reset_connection()

    def do_fin(self, stream: int, _: str) -> None:
        """Close the connection in an orderly way (with TLS: close_notify), unanswered."""
        self.transport.close()

    def do_bare_fin(self, stream: int, _: str) -> None:
        """Close TCP under TLS, without close_notify."""
        sock = self.transport.get_extra_info("socket")
        sock.shutdown(socket.SHUT_RDWR)

    def do_garbage(self, stream: int, _: str) -> None:
        """Say what is no HTTP/2."""
        self.transport.write(b"\xff" * 64)

    def do_hold(self, stream: int, total: str) -> None:
        """Wait till `total` wait here; then go away: half are served, half are disowned."""
        self.held[stream] = total
        if len(self.held) == int(total):
            streams = sorted(self.held)
            last = streams[len(streams) // 2 - 1]
            self.flush()
            self.transport.write(GoAwayFrame(0, last_stream_id=last).serialize())
            for number in streams:
                if number <= last:
                    self.do_ok(number, "")

    def do_leave(self, stream: int, _: str) -> None:
        """Answer, and go away without disowning anything: what is open is still served."""
        self.do_ok(stream, "")
        self.flush()
        self.transport.write(GoAwayFrame(0, last_stream_id=(1 << 31) - 1).serialize())
