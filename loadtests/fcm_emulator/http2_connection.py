"""One HTTP/2 connection, frame by frame: fast, and able to break in every way that matters.

General HTTP/2 libraries cost hundreds of microseconds a request in Python and do not let a server
misbehave. This knows what an API server needs of RFC 9113: no push, no priorities, short answers.
"""

from __future__ import annotations

import asyncio
import struct

from hpack import HPACKError

from loadtests.fcm_emulator import answers, frames
from loadtests.fcm_emulator.behaviours import WireFault
from loadtests.fcm_emulator.exchange import Exchange, Head
from loadtests.fcm_emulator.frames import ErrorCode, Kind, Setting
from loadtests.fcm_emulator.http2_headers import Heads
from loadtests.fcm_emulator.http2_output import Output
from loadtests.fcm_emulator.judge import Ruling

MAX_BODY_BYTES = 262_144
_STREAM_WINDOW = 1 << 20
_CONNECTION_WINDOW = 1 << 30
_DATA, _HEADERS, _CONTINUATION = int(Kind.DATA), int(Kind.HEADERS), int(Kind.CONTINUATION)
_END_STREAM, _PADDED = frames.END_STREAM, frames.PADDED
"""Plain numbers: a look-up in an enumeration costs as much as all else in the loop over frames."""
_LINGER_S = 1.0
"""From the last answer after a GOAWAY to the end: closing over unread data could lose answers."""


class _ProtocolError(Exception):
    """The client broke the protocol: the connection ends with this code."""

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code.name)
        self.code = code


class Http2Connection:
    """The server's side of one connection, from after the client's preface."""

    def __init__(
        self, transport: asyncio.Transport, exchange: Exchange, *, max_streams: int
    ) -> None:
        self._transport = transport
        self._exchange = exchange
        self._max_streams = max_streams
        self._heads = Heads()
        self._output = Output(transport)
        self._unparsed = b""
        self._block: tuple[int, int, bytes] | None = None
        """(stream, flags, bytes so far) of a header block that CONTINUATION frames go on with."""
        self._reading: dict[int, tuple[Head, bytes]] = {}
        """Streams whose body is not all here, with what is."""
        self._open: set[int] = set()
        """Streams that were read in full and have not ended."""
        self._highest = 0
        self._judged = 0
        """The highest stream that the judge has ruled on."""
        self._last: int | None = None
        """The last stream that is served, once a GOAWAY is out."""
        self._scheduled = 0
        """Rulings that are yet to be answered."""
        self._consumed = 0
        self._ended = False
        limits = {
            Setting.MAX_CONCURRENT_STREAMS: max_streams,
            Setting.INITIAL_WINDOW_SIZE: _STREAM_WINDOW,
        }
        self._output.add(frames.settings(limits))
        self._output.add(frames.window_update(0, _CONNECTION_WINDOW))

    def data_received(self, data: bytes) -> None:
        """Take in what the client sent."""
        try:
            self._parse(data)
        except (_ProtocolError, HPACKError, ValueError, struct.error) as exc:
            code = exc.code if isinstance(exc, _ProtocolError) else ErrorCode.PROTOCOL_ERROR
            self._output.add(frames.goaway(self._judged, code))
            self.flush()
            self._transport.close()
            return
        self.flush()

    def connection_lost(self) -> None:
        """Take note that nobody listens any more."""
        self._ended = True
        self._open.clear()
        self._reading.clear()

    def flush(self) -> None:
        """Write the output so far."""
        if not self._ended:
            self._output.flush()

    def _parse(self, data: bytes) -> None:
        if self._unparsed:
            data = self._unparsed + data
        position, end = 0, len(data)
        unpack = frames.HEAD.unpack_from
        while end - position >= frames.HEAD_BYTES:
            high, low, kind, flags, stream = unpack(data, position)
            size = high << 8 | low
            if size > frames.MAX_FRAME_BYTES:
                raise _ProtocolError(ErrorCode.FRAME_SIZE_ERROR)
            start = position + frames.HEAD_BYTES
            if start + size > end:
                break
            position = start + size
            payload = data[start:position]
            if self._block is not None and kind != _CONTINUATION:
                raise _ProtocolError(ErrorCode.PROTOCOL_ERROR)
            if kind == _DATA:
                self._on_data(stream & 0x7FFFFFFF, flags, payload)
            elif kind == _HEADERS:
                self._on_headers(stream & 0x7FFFFFFF, flags, payload)
            else:
                self._on_other(kind, stream & 0x7FFFFFFF, flags, payload)
        self._unparsed = data[position:]

    def _on_headers(self, stream: int, flags: int, payload: bytes) -> None:
        if flags & (frames.PADDED | frames.PRIORITY_FLAG):
            payload = frames.unpadded(flags, payload)
        if flags & frames.END_HEADERS:
            self._begin(stream, flags, payload)
        else:
            self._block = (stream, flags, payload)

    def _on_continuation(self, stream: int, flags: int, payload: bytes) -> None:
        if self._block is None or self._block[0] != stream:
            raise _ProtocolError(ErrorCode.PROTOCOL_ERROR)
        block = self._block[2] + payload
        if len(block) > MAX_BODY_BYTES:
            raise _ProtocolError(ErrorCode.ENHANCE_YOUR_CALM)
        self._block = (stream, self._block[1], block)
        if flags & frames.END_HEADERS:
            begun, self._block = self._block, None
            self._begin(*begun)

    def _begin(self, stream: int, flags: int, block: bytes) -> None:
        """Start a request, or take the trailers of one."""
        # Decoded whatever comes of the stream: the blocks after it build on it.
        head = self._heads.decode(block)
        if stream in self._reading:
            self._decide(stream, *self._reading.pop(stream))
            return
        if stream <= self._highest or not stream % 2:
            raise _ProtocolError(ErrorCode.PROTOCOL_ERROR)
        self._highest = stream
        if self._last is not None:
            return
        judge = self._exchange.judge
        if len(self._open) + len(self._reading) >= self._max_streams:
            judge.ledger.by_error["streams_over_limit"] += 1
            self._output.add(frames.rst_stream(stream, ErrorCode.REFUSED_STREAM))
        elif judge.resets_unread():
            self._output.add(frames.rst_stream(stream, ErrorCode.INTERNAL_ERROR))
        elif flags & frames.END_STREAM:
            self._decide(stream, head, b"")
        else:
            self._reading[stream] = (head, b"")

    def _on_data(self, stream: int, flags: int, payload: bytes) -> None:
        self._consumed += len(payload)
        if self._consumed > _CONNECTION_WINDOW // 2:
            self._output.add(frames.window_update(0, self._consumed))
            self._consumed = 0
        if flags & _PADDED:
            payload = frames.unpadded(flags & _PADDED, payload)
        reading = self._reading.get(stream)
        if reading is None:
            return  # refused, reset or above a GOAWAY: what was under way is let through unread
        head, body = reading
        if body:
            payload = body + payload
        if flags & _END_STREAM:
            del self._reading[stream]
            self._decide(stream, head, payload)
        elif len(payload) > MAX_BODY_BYTES:
            del self._reading[stream]
            self._output.add(frames.rst_stream(stream, ErrorCode.ENHANCE_YOUR_CALM))
        else:
            self._reading[stream] = (head, payload)

    def _decide(self, stream: int, head: Head, body: bytes) -> None:
        ruling = self._exchange.decide(head, body)
        fault = ruling.fault
        if fault is not None and fault is WireFault.GOAWAY:
            self._go_away(stream)
            return
        self._judged = max(self._judged, stream)
        self._open.add(stream)
        if fault is None or fault is not WireFault.HANG:
            self._scheduled += 1
            self._exchange.answer_later(self, stream, ruling)

    def _go_away(self, stream: int) -> None:
        """Refuse a stream and all above it; end once those below have been answered."""
        self._last = self._judged
        self._output.add(frames.goaway(self._last, ErrorCode.NO_ERROR))
        if stream <= self._last:
            # A later stream was quicker with its body. This one still was not processed.
            self._output.add(frames.rst_stream(stream, ErrorCode.REFUSED_STREAM))
        self._reading = {s: r for s, r in self._reading.items() if s < self._last}
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self._last is not None and not self._scheduled and not self._reading:
            self._exchange.loop.call_later(_LINGER_S, self._transport.close)

    def answer(self, stream: int, ruling: Ruling) -> bool:
        """Put an answer or fault into the output; False if the stream has ended before."""
        self._scheduled -= 1
        if stream not in self._open:
            return False
        self._open.discard(stream)
        fault = ruling.fault
        if fault is None:
            self._output.answer(stream, _block_of(ruling), ruling.body)
        elif fault is WireFault.DROP:
            self.connection_lost()
            self._transport.abort()
        else:
            refused = fault is WireFault.REFUSED
            code = ErrorCode.REFUSED_STREAM if refused else ErrorCode.INTERNAL_ERROR
            self._output.add(frames.rst_stream(stream, code))
        if self._last is not None:
            self._end_if_done()
        return True

    def _on_other(self, kind: int, stream: int, flags: int, payload: bytes) -> None:
        if kind == Kind.SETTINGS and not flags & frames.ACK:
            for name, value in struct.iter_unpack(">HL", payload):
                if name == Setting.INITIAL_WINDOW_SIZE:
                    self._output.set_stream_window(value)
            self._output.add(frames.frame(Kind.SETTINGS, frames.ACK, 0))
        elif kind == Kind.PING and not flags & frames.ACK:
            self._output.add(frames.frame(Kind.PING, frames.ACK, 0, payload))
        elif kind == Kind.WINDOW_UPDATE:
            (increment,) = struct.unpack(">L", payload)
            # Clients also credit streams that have ended: those need no window any more.
            if stream in self._open or stream in self._reading or not stream:
                self._output.credit(stream, increment & 0x7FFFFFFF)
            else:
                self._output.credit_waiting(stream, increment & 0x7FFFFFFF)
        elif kind == Kind.RST_STREAM:
            self._open.discard(stream)
            self._reading.pop(stream, None)
            self._output.forget(stream)
        elif kind == Kind.CONTINUATION:
            self._on_continuation(stream, flags, payload)


_BLOCK_OF_200 = frames.header_block(200, {"content-type": answers.JSON_TYPE})


def _block_of(ruling: Ruling) -> bytes:
    if ruling.status == 200:
        return _BLOCK_OF_200
    headers = answers.headers(ruling.status, ruling.body, ruling.retry_after)
    return frames.header_block(ruling.status, headers)
