"""What became of one try to tell somebody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KEPT_CHARACTERS: Final = 1_000
"""So much of an answer, and of an error, stands in the log."""


@dataclass(frozen=True)
class Answer:
    """What the other side said, or why nothing was said."""

    error: str = ""
    """Why it failed; empty where it did not."""
    status_code: int | None = None
    response: str = ""
    is_gone: bool = False
    """The other side wants nothing more, ever."""
