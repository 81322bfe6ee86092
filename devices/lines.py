"""A file of text as numbered lines, a piece at a time, whatever its bytes are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

BLOCK_BYTES: Final = 1 << 17
MAX_LINE: Final = 131_072
"""Characters: more than the largest device there can be."""
_BOM: Final = b"\xef\xbb\xbf"


class Source(Protocol):
    """What bytes come from: a file, or a pipe."""

    def read(self, size: int, /) -> bytes:
        """Return so many bytes or fewer; none at the end."""


class Line(NamedTuple):
    """One line, without its end."""

    number: int
    text: str
    refused: str
    """Why it cannot be read; empty where it can."""


class Lines:
    """Some consecutive lines of a file."""

    def __init__(self, data: bytes, *, first_number: int) -> None:
        """Take bytes that end with a line's end, or with the file."""
        text, self.refused = _decode(data, first_number=first_number)
        self.texts = text.removesuffix("\n").split("\n")
        self._first_number = first_number
        if max(map(len, self.texts)) > MAX_LINE:
            self._refuse_long_lines()

    @property
    def numbers(self) -> range:
        """The lines' numbers, from 1."""
        return range(self._first_number, self._first_number + len(self.texts))

    def numbered(self) -> Iterator[Line]:
        """Yield each line with its number."""
        for number, text in zip(self.numbers, self.texts, strict=True):
            yield Line(number, text, self.refused.get(number, ""))

    def take_first(self) -> Line:
        """Take the first line off."""
        line = next(self.numbered())
        del self.texts[0]
        self._first_number += 1
        return line

    def _refuse_long_lines(self) -> None:
        for line in self.numbered():
            if len(line.text) > MAX_LINE:
                self.refused[line.number] = f"Is longer than {MAX_LINE} characters."
                self.texts[line.number - self._first_number] = line.text[:100]


def blocks(source: Source) -> Iterator[Lines]:
    """Yield the file's lines, about `BLOCK_BYTES` at a time; memory stays flat.

    A line that is no UTF-8 or too long is yielded as refused, with what can be shown of it.
    """
    number = 1
    for data in _whole_lines(source):
        lines = Lines(data.removeprefix(_BOM) if number == 1 else data, first_number=number)
        number += len(lines.texts)
        yield lines


def _whole_lines(source: Source) -> Iterator[bytes]:
    rest = b""
    while data := source.read(BLOCK_BYTES):
        data = rest + data
        end = data.rfind(b"\n") + 1
        # What is beyond the longest line is refused anyway: it need not be kept.
        rest = data[end:][: 4 * MAX_LINE + 4]
        if end:
            yield data[:end]
    if rest:
        yield rest


def _decode(data: bytes, *, first_number: int) -> tuple[str, dict[int, str]]:
    """Return the text, and the lines (number → reason) that are no UTF-8."""
    try:
        return data.decode().replace("\r\n", "\n"), {}
    except UnicodeDecodeError:
        refused = {}
        for number, line in enumerate(data.split(b"\n"), start=first_number):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                refused[number] = f"Is no UTF-8 (byte {error.start + 1} of the line)."
        return data.decode("utf-8", "replace").replace("\r\n", "\n"), refused
