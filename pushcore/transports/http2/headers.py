"""Header blocks (HPACK, RFC 7541): encoded once for thousands of requests, decoded once a second.

Requests of one connection differ in their length only, so all else is put into the server's table
by the first, and each later one names five entries of it: 7 bytes instead of a kilobyte.

For answers the server is told to keep no table (`HEADER_TABLE_SIZE` 0). Then a block means the
same wherever it stands, and those of a second's answers are the same bytes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from hpack import Decoder, HPACKError

from pushcore.transports.http2.frames import ErrorCode, WireError

TABLE_BYTES: Final = 4_096
"""How large a table a server keeps unless it says otherwise (RFC 9113 §6.5.2)."""
_ENTRY_BYTES: Final = 32  # what an entry counts besides its name and value (RFC 7541 §4.1)
_STATIC_ENTRIES: Final = 61
_POST_BY_HTTPS: Final = b"\x83\x87"
_POST_BY_HTTP: Final = b"\x83\x86"
_NAMES: Final = {  # in the static table (RFC 7541 appendix A)
    ":authority": 1,
    ":path": 4,
    "authorization": 23,
    "content-type": 31,
    "user-agent": 58,
}
_CONTENT_LENGTH: Final = 28
_INDEXED, _ADDED, _RESIZE, _PLAIN = 0x80, 0x40, 0x20, 0x00


def _integer(value: int, bits: int, pattern: int) -> bytes:
    """Return an integer behind a pattern, in a prefix of so many bits (RFC 7541 §5.1)."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([pattern | value])
    encoded, rest = bytearray([pattern | limit]), value - limit
    while rest >= 0x80:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)


def _string(text: str) -> bytes:
    raw = text.encode("latin-1")
    return _integer(len(raw), 7, 0) + raw


@lru_cache(maxsize=8_192)
def content_length(size: int) -> bytes:
    """Return the field that says how long a body is; it goes into no table."""
    return _integer(_CONTENT_LENGTH, 4, _PLAIN) + _string(str(size))


class RequestHeads:
    """Encodes the heads of one connection's requests.

    `fields` are those of a request, by names that the static table knows.
    """

    def __init__(self, *, is_secure: bool, fields: dict[str, str]) -> None:
        self._start = _POST_BY_HTTPS if is_secure else _POST_BY_HTTP
        self._limit = TABLE_BYTES
        self._resize = b""
        self.replace(fields)

    def replace(self, fields: dict[str, str]) -> None:
        """Let the next requests say something else, by the same names."""
        self._fields = fields
        self._is_known = False
        # What was put in last is entry 62 (RFC 7541 §2.3.3).
        self._known = self._start + b"".join(
            _integer(_STATIC_ENTRIES + age, 7, _INDEXED) for age in range(len(fields), 0, -1)
        )

    def limit_table(self, size: int) -> None:
        """Keep to the size of the server's table (`HEADER_TABLE_SIZE`), in bytes."""
        limit = min(size, TABLE_BYTES)
        if limit != self._limit:
            self._limit = limit
            # Said at the start of the next block (RFC 7541 §4.2); 0 first, which empties the table.
            self._resize = _integer(0, 5, _RESIZE) + _integer(limit, 5, _RESIZE)
            self._is_known = False

    def next_block(self) -> bytes:
        """Return the block of the next request, but for the length of its body."""
        if self._is_known:
            return self._known
        resize, self._resize = self._resize, b""
        size = sum(len(name) + len(value) + _ENTRY_BYTES for name, value in self._fields.items())
        self._is_known = size <= self._limit
        bits, pattern = (6, _ADDED) if self._is_known else (4, _PLAIN)
        fields = (
            _integer(_NAMES[name], bits, pattern) + _string(value)
            for name, value in self._fields.items()
        )
        return resize + self._start + b"".join(fields)


class AnswerHead(NamedTuple):
    """What the head of an answer says."""

    status: int
    retry_after: str | None


class AnswerHeads:
    """Decodes the heads of answers from a server that keeps no table."""

    MAX_KNOWN: Final = 1_024

    def __init__(self) -> None:
        self._known: dict[bytes, AnswerHead] = {}

    def decode(self, block: bytes) -> AnswerHead:
        """Return what a block says; without a status, 0.

        Raises:
            WireError: it is malformed, or builds on a table that the server was told not to keep.
        """
        head = self._known.get(block)
        if head is None:
            head = self._decoded(block)
            if len(self._known) >= self.MAX_KNOWN:
                self._known.clear()
            self._known[block] = head
        return head

    def _decoded(self, block: bytes) -> AnswerHead:
        decoder = Decoder()
        decoder.max_allowed_table_size = decoder.header_table_size = 0
        try:
            fields = {bytes(name): bytes(value) for name, value in decoder.decode(block, raw=True)}
            status = int(fields.get(b":status", b"0"))
        except (HPACKError, ValueError) as failure:
            raise WireError(ErrorCode.COMPRESSION_ERROR) from failure
        retry_after = fields.get(b"retry-after")
        return AnswerHead(status, retry_after.decode("latin-1") if retry_after else None)
