"""HTTP/2 frames as bytes (RFC 9113), and the header blocks of answers (HPACK, RFC 7541)."""

from __future__ import annotations

import struct
from enum import IntEnum

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD = struct.Struct(">HBBBL")
"""Length (two parts: 16 and 8 bits), type, flags, stream id."""
HEAD_BYTES = 9
MAX_FRAME_BYTES = 16_384

END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITY_FLAG = 0x20


class Kind(IntEnum):
    """Frame types."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class ErrorCode(IntEnum):
    """Why a stream or a connection ends."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


class Setting(IntEnum):
    """Parameters of a SETTINGS frame."""

    HEADER_TABLE_SIZE = 1
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4


def frame(kind: Kind, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return one frame."""
    size = len(payload)
    return HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def settings(values: dict[Setting, int]) -> bytes:
    """Return a SETTINGS frame."""
    return frame(
        Kind.SETTINGS, 0, 0, b"".join(struct.pack(">HL", name, v) for name, v in values.items())
    )


def window_update(stream: int, increment: int) -> bytes:
    """Return a WINDOW_UPDATE frame: so many bytes more may be sent (stream 0: in all)."""
    return frame(Kind.WINDOW_UPDATE, 0, stream, struct.pack(">L", increment))


def rst_stream(stream: int, code: ErrorCode) -> bytes:
    """Return a RST_STREAM frame."""
    return frame(Kind.RST_STREAM, 0, stream, struct.pack(">L", code))


def goaway(last_stream: int, code: ErrorCode) -> bytes:
    """Return a GOAWAY frame: nothing above `last_stream` was or will be processed."""
    return frame(Kind.GOAWAY, 0, 0, struct.pack(">LL", last_stream, code))


def header_block(status: int, headers: dict[str, str]) -> bytes:
    """Return an answer's header block; literals without indexing, so it needs no state."""
    # In the static table, entry 8 is `:status: 200`; for others it lends its name.
    block = b"\x88" if status == 200 else b"\x08" + _string(str(status))
    for name, value in headers.items():
        block += b"\x00" + _string(name) + _string(value)
    return block


def _string(text: str) -> bytes:
    """Return a string literal without Huffman coding (RFC 7541 §5.2)."""
    raw = text.encode("latin-1")
    if len(raw) < 127:
        return bytes([len(raw)]) + raw
    rest, size = len(raw) - 127, bytearray([127])
    while rest >= 128:
        size.append(rest % 128 + 128)
        rest //= 128
    size.append(rest)
    return bytes(size) + raw


def unpadded(flags: int, payload: bytes) -> bytes:
    """Return a DATA or HEADERS payload without padding and priority; ValueError if malformed."""
    start, end = 0, len(payload)
    if flags & PADDED:
        if not payload:
            raise ValueError("a padded frame without its padding's length")
        start, end = 1, end - payload[0]
    if flags & PRIORITY_FLAG:
        start += 5
    if start > end:
        raise ValueError("more padding than payload")
    return payload[start:end]
