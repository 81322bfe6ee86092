"""HTTP/2 frames as bytes (RFC 9113 §4, §6), as far as a client that only posts needs them."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD: Final = struct.Struct(">HBBBL")
"""Length (two parts: 16 and 8 bits), type, flags, stream id."""
HEAD_BYTES: Final = 9
MAX_FRAME_BYTES: Final = 16_384
"""The longest payload that every peer takes (§4.2); we never announce that we take more."""
DEFAULT_WINDOW: Final = 65_535
MAX_STREAM: Final = (1 << 31) - 1

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
WITH_PRIORITY: Final = 0x20


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
    """Why a stream or a connection ends (§7); those that are said or asked about here."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    FLOW_CONTROL_ERROR = 3
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9


class Setting(IntEnum):
    """Parameters of a SETTINGS frame (§6.5.2)."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4


class WireError(Exception):
    """The server broke the protocol, or speaks another: the connection is of no more use."""

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code.name)
        self.code = code


def frame(kind: Kind, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return one frame."""
    size = len(payload)
    return HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def settings(values: dict[Setting, int]) -> bytes:
    """Return a SETTINGS frame."""
    payload = b"".join(struct.pack(">HL", name, value) for name, value in values.items())
    return frame(Kind.SETTINGS, 0, 0, payload)


def settings_of(payload: bytes) -> dict[int, int]:
    """Return what a SETTINGS frame says.

    Raises:
        WireError: its length is no multiple of an entry's.
    """
    if len(payload) % 6:
        raise WireError(ErrorCode.FRAME_SIZE_ERROR)
    return dict(struct.iter_unpack(">HL", payload))


def number_of(payload: bytes) -> int:
    """Return the 32 bits of a WINDOW_UPDATE or RST_STREAM frame.

    Raises:
        WireError: it has not 32 bits.
    """
    if len(payload) != 4:
        raise WireError(ErrorCode.FRAME_SIZE_ERROR)
    return int.from_bytes(payload)


def last_stream_of(payload: bytes) -> int:
    """Return the last stream that a GOAWAY frame calls processed (§6.8).

    Raises:
        WireError: it is too short to say.
    """
    if len(payload) < 8:
        raise WireError(ErrorCode.FRAME_SIZE_ERROR)
    return int.from_bytes(payload[:4]) & MAX_STREAM


def unpadded(flags: int, payload: bytes) -> bytes:
    """Return a DATA or HEADERS payload without padding and priority (§6.1, §6.2).

    Raises:
        WireError: there is more padding than payload.
    """
    start, end = 0, len(payload)
    if flags & PADDED:
        start, end = 1, end - (payload[0] if payload else 1)
    if flags & WITH_PRIORITY:
        start += 5
    if start > end:
        raise WireError(ErrorCode.PROTOCOL_ERROR)
    return payload[start:end]
