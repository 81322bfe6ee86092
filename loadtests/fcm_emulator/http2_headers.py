"""Header blocks of one connection's requests, decoded once as long as they stay the same."""

from __future__ import annotations

from hpack import Decoder
from hpack.table import HeaderTable

from loadtests.fcm_emulator.exchange import Head, head_of

_MAX_KNOWN = 1_024


class _Table(HeaderTable):
    """HPACK's dynamic table, which also tells that it changed."""

    changes = 0

    def add(self, name: bytes, value: bytes) -> None:
        """Add an entry, as the parent does."""
        self.changes += 1
        super().add(name, value)


class Heads:
    """Decodes header blocks, which must be given in the order they came in (RFC 7541 §2.2).

    A block that leaves the dynamic table as it is means the same until something changes the
    table: so a client's thousandth request costs a look-up.
    """

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._table = _Table()
        self._decoder.header_table = self._table
        self._known: dict[bytes, Head] = {}

    def decode(self, block: bytes) -> Head:
        """Return what a block says; raises hpack's HPACKError for a malformed one."""
        head = self._known.get(block)
        if head is not None:
            return head
        before = self._table.changes, self._table.maxsize
        fields = {_text(name): _text(value) for name, value, *_ in self._decoder.decode(block)}
        head = head_of(
            fields.get(":method", ""), fields.get(":path", ""), fields.get("authorization")
        )
        if (self._table.changes, self._table.maxsize) != before or len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        if (self._table.changes, self._table.maxsize) == before:
            self._known[block] = head
        return head


def _text(raw: str | bytes) -> str:
    return raw if isinstance(raw, str) else raw.decode("latin-1")
