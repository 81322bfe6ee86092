"""What an HTTP/2 connection writes: gathered, within the client's windows (RFC 9113 §5.2)."""

from __future__ import annotations

import asyncio

from loadtests.fcm_emulator import frames
from loadtests.fcm_emulator.frames import Kind

_DEFAULT_WINDOW = 65_535
_HEAD = frames.HEAD.pack
_DATA, _HEADERS = int(Kind.DATA), int(Kind.HEADERS)
_END_STREAM, _END_HEADERS = frames.END_STREAM, frames.END_HEADERS


class Output:
    """Frames on their way out; nothing is written before `flush`."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._parts: list[bytes] = []
        self._window = self._stream_window = _DEFAULT_WINDOW
        self._credits: dict[int, int] = {}
        """What single streams may send beyond the window that all start with (or less, if < 0)."""
        self._waiting: dict[int, bytes] = {}
        """Rests of bodies that the windows hold back, oldest first."""

    def add(self, frame: bytes) -> None:
        """Add a frame that no window holds back."""
        self._parts.append(frame)

    def answer(self, stream: int, block: bytes, body: bytes) -> None:
        """Add an answer: its header block, then as much of the body as the windows allow."""
        size = len(body)
        parts = self._parts
        parts += _HEAD(0, len(block), _HEADERS, _END_HEADERS, stream), block
        room = min(self._window, self._stream_window, frames.MAX_FRAME_BYTES)
        if size <= room and not self._credits:
            self._window -= size
            parts += _HEAD(size >> 8, size & 0xFF, _DATA, _END_STREAM, stream), body
        else:
            self._waiting[stream] = body
            self._send_waiting()

    def forget(self, stream: int) -> None:
        """Drop what waits for a stream that the client reset."""
        self._waiting.pop(stream, None)
        self._credits.pop(stream, None)

    def credit(self, stream: int, increment: int) -> None:
        """Let a stream (0: the connection) send so many bytes more."""
        if stream:
            self._credits[stream] = self._credits.get(stream, 0) + increment
        else:
            self._window += increment
        self._send_waiting()

    def credit_waiting(self, stream: int, increment: int) -> None:
        """Credit a stream only if some of its answer still waits."""
        if stream in self._waiting:
            self.credit(stream, increment)

    def set_stream_window(self, size: int) -> None:
        """Change the window that streams start with."""
        self._stream_window = size
        self._send_waiting()

    def _send_waiting(self) -> None:
        for stream, body in list(self._waiting.items()):
            credit = self._credits.get(stream, 0)
            room = max(0, min(self._window, self._stream_window + credit))
            sendable, rest = body[:room], body[room:]
            if not sendable and rest:
                continue
            self._window -= len(sendable)
            self._cut(stream, sendable, ends=not rest)
            if rest:
                self._waiting[stream] = rest
                self._credits[stream] = credit - len(sendable)
            else:
                self.forget(stream)

    def _cut(self, stream: int, data: bytes, *, ends: bool) -> None:
        """Add data in frames as long as any client takes (RFC 9113 §4.2)."""
        longest = frames.MAX_FRAME_BYTES
        for start in range(0, len(data) or 1, longest):
            is_last = ends and start + longest >= len(data)
            end = frames.END_STREAM if is_last else 0
            piece = data[start : start + longest]
            self._parts.append(frames.frame(Kind.DATA, end, stream, piece))

    def flush(self) -> None:
        """Write everything added so far, in one piece."""
        if self._parts:
            self._transport.write(b"".join(self._parts))
            self._parts.clear()
