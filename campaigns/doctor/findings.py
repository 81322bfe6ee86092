"""What a check says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """How bad it is; also the command's exit status, the worst of all findings."""

    OK = 0
    WARNING = 1
    """Sending goes on; a person should look at it by daylight."""
    CRITICAL = 2
    """Something stands still, or may be lost: a person is needed now."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: how it is, and what to do about it."""

    level: Level
    title: str
    advice: str = ""


def ok(title: str) -> Finding:
    """Return that this is as it should be."""
    return Finding(Level.OK, title)


def warning(title: str, advice: str) -> Finding:
    """Return that a person should look at this by daylight."""
    return Finding(Level.WARNING, title, advice)


def critical(title: str, advice: str) -> Finding:
    """Return that a person is needed now."""
    return Finding(Level.CRITICAL, title, advice)
