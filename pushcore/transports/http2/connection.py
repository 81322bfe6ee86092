"""One HTTP/2 connection as bytes in and out: the messages on its streams, and what becomes of them.

Nothing here reads a clock or a socket. The owner writes `output`, says how much of it the socket
took, and hands over what it read. Whatever became of a message is told to `answered`.

A message is NEVER_SENT only where the server cannot have it: its last byte was not handed to the
socket, or the server itself said that it did not process it (RFC 9113 §8.7).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pushcore.transports.base import MAX_BODY_BYTES, Answer, Fault
from pushcore.transports.gated_loop import Answered
from pushcore.transports.http2 import frames
from pushcore.transports.http2.frames import ErrorCode, Kind, Setting, WireError
from pushcore.transports.http2.headers import AnswerHeads, RequestHeads, content_length
from pushcore.transports.http2.output import Output

_WINDOW: Final = 1 << 24
"""What the server may have under way to us on all streams: more than they can need."""
# Plain numbers: a look-up in an enumeration costs as much as all else in the loop over frames.
_DATA, _HEADERS, _CONTINUATION = int(Kind.DATA), int(Kind.HEADERS), int(Kind.CONTINUATION)
_HEAD_BYTES, _MAX_FRAME_BYTES = frames.HEAD_BYTES, frames.MAX_FRAME_BYTES
_END_STREAM, _END_HEADERS = frames.END_STREAM, frames.END_HEADERS
_SHAPED = frames.PADDED | frames.WITH_PRIORITY
_PADDED, _MAX_STREAM = frames.PADDED, frames.MAX_STREAM
_MAX_BLOCK_BYTES: Final = 65_536


class _Stream:
    """A message under way."""

    __slots__ = ("body", "place", "retry_after", "started_at", "status")

    def __init__(self, place: int, started_at: float) -> None:
        self.place = place
        self.started_at = started_at
        self.status = 0
        self.retry_after: str | None = None
        self.body = b""


class Connection:
    """The client's side of one connection; at most `max_streams` messages at a time."""

    def __init__(
        self,
        heads: RequestHeads,
        *,
        max_streams: int,
        answered: Callable[[Answered], object],
    ) -> None:
        self.output = Output()
        self.is_leaving = False
        """Whether nothing more is started on it: the server goes away, or no longer answers."""
        self.is_greeted = False
        """Whether the server has said its limits: nothing is started before."""
        self._heads = heads
        self._answer_heads = AnswerHeads()
        self._most_streams = self._max_streams = max_streams
        self._answered = answered
        self._streams: dict[int, _Stream] = {}
        """By stream, oldest first."""
        self._next_stream = 1
        self._unparsed = b""
        self._block: tuple[int, int, bytes] | None = None
        """(stream, flags, bytes so far) of a header block that CONTINUATION frames go on with."""
        self._consumed = 0
        greeting = {
            Setting.HEADER_TABLE_SIZE: 0,
            Setting.ENABLE_PUSH: 0,
        }
        self.output.add(frames.PREFACE + frames.settings(greeting))
        self.output.add(frames.frame(Kind.WINDOW_UPDATE, 0, 0, _WINDOW.to_bytes(4)))

    @property
    def open_streams(self) -> int:
        """How many messages are under way."""
        return len(self._streams)

    @property
    def room(self) -> int:
        """How many messages may be started now."""
        if self.is_leaving or not self.is_greeted:
            return 0
        return max(0, self._max_streams - len(self._streams))

    def start(self, place: int, body: bytes, *, now: float) -> None:
        """Put a message into the output; there must be `room`."""
        stream = self._next_stream
        self._next_stream = stream + 2
        if stream + 2 > _MAX_STREAM:
            self.is_leaving = True
        self._streams[stream] = _Stream(place, now)
        self.output.request(stream, self._heads.next_block() + content_length(len(body)), body)

    def authorize(self, fields: dict[str, str]) -> None:
        """Let the next messages' heads say something else."""
        self._heads.replace(fields)

    def receive(self, data: bytes) -> None:
        """Take in what the server sent.

        Raises:
            WireError: it is no HTTP/2, or none that can be gone on with: `lose` is to follow.
        """
        if self._unparsed:
            data = self._unparsed + data
        position, end = 0, len(data)
        unpack = frames.HEAD.unpack_from
        while end - position >= _HEAD_BYTES:
            high, low, kind, flags, stream = unpack(data, position)
            size = high << 8 | low
            if size > _MAX_FRAME_BYTES:
                raise WireError(ErrorCode.FRAME_SIZE_ERROR)
            start = position + _HEAD_BYTES
            if start + size > end:
                break
            position = start + size
            self._on_frame(kind, flags, stream & _MAX_STREAM, data[start:position])
        self._unparsed = data[position:]

    def expire(self, started_before: float, *, heard_at: float) -> None:
        """Give up the messages that were started before that moment (both in the clock of `start`).

        A connection on which nothing was heard since the oldest of them started gets no more.

        Raises:
            WireError: one could not even be written in that time: `lose` is to follow.
        """
        while self._streams:
            number, stream = next(iter(self._streams.items()))
            if stream.started_at > started_before:
                return
            if self.output.is_unwritten(number):
                raise WireError(ErrorCode.FLOW_CONTROL_ERROR)
            self.is_leaving |= heard_at <= stream.started_at
            fault = Fault.NEVER_SENT if self.output.is_unfinished(number) else Fault.TIMEOUT
            self._end(number, Answer(0, fault=fault), is_reset=True)

    def lose(self) -> None:
        """Take note that the connection is gone: everything under way ends here."""
        self.is_leaving = True
        for number in list(self._streams):
            self._break(number, was_refused=False)

    def _on_frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if self._block is not None and kind != _CONTINUATION:
            raise WireError(ErrorCode.PROTOCOL_ERROR)
        if kind == _HEADERS:
            if flags & _SHAPED:
                payload = frames.unpadded(flags, payload)
            if flags & _END_HEADERS:
                self._on_head(stream, flags, payload)
            else:
                self._block = (stream, flags, payload)
        elif kind == _DATA:
            self._on_data(stream, flags, payload)
        elif kind == _CONTINUATION:
            self._on_continuation(stream, flags, payload)
        elif stream:
            self._on_stream_frame(kind, stream, payload)
        else:
            self._on_connection_frame(kind, flags, payload)

    def _on_continuation(self, stream: int, flags: int, payload: bytes) -> None:
        if self._block is None or self._block[0] != stream:
            raise WireError(ErrorCode.PROTOCOL_ERROR)
        _, first_flags, block = self._block
        block += payload
        if len(block) > _MAX_BLOCK_BYTES:
            raise WireError(ErrorCode.PROTOCOL_ERROR)
        self._block = (stream, first_flags, block)
        if flags & _END_HEADERS:
            self._block = None
            self._on_head(stream, first_flags, block)

    def _on_head(self, number: int, flags: int, block: bytes) -> None:
        stream = self._streams.get(number)
        if stream is None:
            return  # given up before; no table is kept, so it need not even be decoded
        if not stream.status:
            status, retry_after = self._answer_heads.decode(block)
            if not 100 <= status < 200:  # such announce that another head follows (RFC 9110 §15.2)
                stream.status, stream.retry_after = status, retry_after
        if flags & _END_STREAM:
            self._complete(number, stream)

    def _on_data(self, number: int, flags: int, payload: bytes) -> None:
        self._consumed += len(payload)
        if self._consumed > _WINDOW // 2:
            increment = self._consumed.to_bytes(4)
            self.output.add(frames.frame(Kind.WINDOW_UPDATE, 0, 0, increment))
            self._consumed = 0
        stream = self._streams.get(number)
        if stream is None:
            return
        if flags & _PADDED:
            payload = frames.unpadded(flags & _PADDED, payload)
        stream.body = stream.body + payload if stream.body else payload
        if flags & _END_STREAM:
            self._complete(number, stream)
        elif len(stream.body) > MAX_BODY_BYTES:
            self._complete(number, stream, is_reset=True)

    def _on_stream_frame(self, kind: int, number: int, payload: bytes) -> None:
        if kind == Kind.RST_STREAM:
            if number in self._streams:
                code = frames.number_of(payload)
                self._break(number, was_refused=code == ErrorCode.REFUSED_STREAM)
        elif kind == Kind.WINDOW_UPDATE:
            self.output.credit(number, frames.number_of(payload) & _MAX_STREAM)
        elif kind == Kind.PUSH_PROMISE:
            raise WireError(ErrorCode.PROTOCOL_ERROR)

    def _on_connection_frame(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == Kind.SETTINGS:
            if not flags & frames.ACK:
                self._on_settings(frames.settings_of(payload))
        elif kind == Kind.PING:
            if not flags & frames.ACK:
                self.output.add(frames.frame(Kind.PING, frames.ACK, 0, payload))
        elif kind == Kind.WINDOW_UPDATE:
            self.output.credit(0, frames.number_of(payload) & _MAX_STREAM)
        elif kind == Kind.GOAWAY:
            self.is_leaving = True
            last = frames.last_stream_of(payload)
            for number in [number for number in self._streams if number > last]:
                self._break(number, was_refused=True)

    def _on_settings(self, values: dict[int, int]) -> None:
        self.is_greeted = True
        if Setting.MAX_CONCURRENT_STREAMS in values:
            self._max_streams = min(self._most_streams, values[Setting.MAX_CONCURRENT_STREAMS])
        if Setting.HEADER_TABLE_SIZE in values:
            self._heads.limit_table(values[Setting.HEADER_TABLE_SIZE])
        # Before what a larger window lets through: the server goes by the order (RFC 9113 §6.5.3).
        self.output.add(frames.frame(Kind.SETTINGS, frames.ACK, 0))
        if Setting.INITIAL_WINDOW_SIZE in values:
            self.output.set_stream_window(values[Setting.INITIAL_WINDOW_SIZE])

    def _complete(self, number: int, stream: _Stream, *, is_reset: bool = False) -> None:
        """End a message whose answer is whole, or as long as any answer may be."""
        body, status = stream.body, stream.status
        if len(body) > MAX_BODY_BYTES:
            body = body[:MAX_BODY_BYTES]
        if status == 200:
            self._end(number, Answer(200, body), is_reset=is_reset)
        elif status:
            self._end(number, Answer(status, body, stream.retry_after), is_reset=is_reset)
        else:
            self._break(number, was_refused=False)

    def _break(self, number: int, *, was_refused: bool) -> None:
        """End a message whose answer is not whole."""
        stream = self._streams[number]
        # A refusal without its whole body could be misread. But 200 is said when the message has
        # been accepted: losing that for its message id would send it again.
        if stream.status == 200:
            self._end(number, Answer(200, stream.body))
            return
        never_sent = (was_refused and not stream.status) or self.output.is_unfinished(number)
        self._end(number, Answer(0, fault=Fault.NEVER_SENT if never_sent else Fault.BROKEN))

    def _end(self, number: int, answer: Answer, *, is_reset: bool = False) -> None:
        stream = self._streams.pop(number)
        if self.output.forget(number) or is_reset:
            code = int(ErrorCode.CANCEL).to_bytes(4)
            self.output.add(frames.frame(Kind.RST_STREAM, 0, number, code))
        self._answered((stream.place, answer))
