"""What a connection writes: within the server's windows (RFC 9113 §5.2), and how far it got."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pushcore.transports.http2 import frames
from pushcore.transports.http2.frames import ErrorCode, Kind, WireError

_HEAD: Final = frames.HEAD.pack
_DATA, _HEADERS = int(Kind.DATA), int(Kind.HEADERS)
_END_STREAM, _END_HEADERS = frames.END_STREAM, frames.END_HEADERS
_MAX_FRAME_BYTES, _HEAD_BYTES = frames.MAX_FRAME_BYTES, frames.HEAD_BYTES


@dataclass(slots=True)
class _Rest:
    """What the windows hold back of a body."""

    body: bytes
    window: int
    """How much of it the stream's own window lets through; may be below 0 (§6.9.2)."""


class Output:
    """Frames in their order; the socket takes them from `unsent` and reports by `sent`."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._chunk = memoryview(b"")
        self._queued = 0
        """Bytes of all frames so far."""
        self._sent = 0
        """How many of them the socket has taken."""
        self._ends: dict[int, int] = {}
        """Where in `_queued` a request's last byte stands."""
        self._window = self._stream_window = frames.DEFAULT_WINDOW
        self._rests: dict[int, _Rest] = {}

    def add(self, frame: bytes) -> None:
        """Add a frame that no window holds back."""
        self._parts.append(frame)
        self._queued += len(frame)

    def request(self, stream: int, block: bytes, body: bytes) -> None:
        """Add a request: its head, then as much of its body as the windows allow."""
        size, length = len(body), len(block)
        parts = self._parts
        parts += _HEAD(length >> 8, length & 0xFF, _HEADERS, _END_HEADERS, stream), block
        self._queued += _HEAD_BYTES + length
        if size <= self._window and size <= self._stream_window and size <= _MAX_FRAME_BYTES:
            self._window -= size
            parts += _HEAD(size >> 8, size & 0xFF, _DATA, _END_STREAM, stream), body
            self._queued += _HEAD_BYTES + size
            self._ends[stream] = self._queued
        else:
            self._rests[stream] = _Rest(body, self._stream_window)
            self._send_rests()

    def forget(self, stream: int) -> bool:
        """Forget a request that has ended; return whether some of it was still held back."""
        self._ends.pop(stream, None)
        return self._rests.pop(stream, None) is not None

    def is_unfinished(self, stream: int) -> bool:
        """Whether the socket has not taken all of a request."""
        return stream in self._rests or self._ends.get(stream, 0) > self._sent

    def is_unwritten(self, stream: int) -> bool:
        """Whether it is the socket that has not taken all of a request, not a window's doing."""
        return self._ends.get(stream, 0) > self._sent

    def credit(self, stream: int, increment: int) -> None:
        """Let a stream (0: the connection) send so many bytes more.

        Raises:
            WireError: there are none to it, or more than a window can hold (§6.9.1).
        """
        if not increment or self._window + increment > frames.MAX_STREAM:
            raise WireError(ErrorCode.FLOW_CONTROL_ERROR)
        if not stream:
            self._window += increment
        elif stream in self._rests:
            self._rests[stream].window += increment
        self._send_rests()

    def set_stream_window(self, size: int) -> None:
        """Change the window that streams start with, and that of those under way."""
        for rest in self._rests.values():
            rest.window += size - self._stream_window
        self._stream_window = size
        self._send_rests()

    def unsent(self) -> memoryview:
        """Return what is to be written next; the same bytes until `sent` says otherwise."""
        if not self._chunk and self._parts:
            self._chunk = memoryview(b"".join(self._parts))
            self._parts.clear()
        return self._chunk

    def sent(self, size: int) -> None:
        """Take note that the socket took so many bytes of `unsent`."""
        self._chunk = self._chunk[size:]
        self._sent += size

    def _send_rests(self) -> None:
        for stream, rest in list(self._rests.items()):
            while stream in self._rests:
                room = min(self._window, rest.window, _MAX_FRAME_BYTES)
                if room <= 0 < len(rest.body):
                    break
                self._send_some(stream, rest, max(room, 0))

    def _send_some(self, stream: int, rest: _Rest, room: int) -> None:
        piece, rest.body = rest.body[:room], rest.body[room:]
        self._window -= len(piece)
        rest.window -= len(piece)
        self.add(frames.frame(Kind.DATA, 0 if rest.body else _END_STREAM, stream, piece))
        if not rest.body:
            del self._rests[stream]
            self._ends[stream] = self._queued
