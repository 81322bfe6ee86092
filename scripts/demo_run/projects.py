"""The demo's FCM projects, by name: the emulator and the database are both told of them."""

from __future__ import annotations

PROJECT = "pushcore-demo"


def project_names(count: int) -> list[str]:
    """Return the ids of the demo's first `count` projects."""
    return [PROJECT, *(f"{PROJECT}-{number}" for number in range(2, count + 1))]
