"""The order of app versions: number by number, so that 1.10 comes after 1.9.

What counts are the numbers that the version begins with, after a `v` if there is one: up to six of
up to fifteen digits. `1.10`, `1.10.0` and `v1.10-beta` are the same version to a comparison. What
begins with no number is neither before nor after anything. `pushcore_version_key` in the database
reads versions by the same rule.
"""

from __future__ import annotations

import re
from typing import Final

MOST_NUMBERS: Final = 6
_NUMBERS: Final = re.compile(r"[vV]?([0-9]{1,15}(?:\.[0-9]{1,15}){0,5})", re.ASCII)


def version_key(version: str) -> tuple[int, ...] | None:
    """Return the version's numbers as they are written, None where it begins with none."""
    match = _NUMBERS.match(version)
    return tuple(map(int, match[1].split("."))) if match else None


def least_key(key: tuple[int, ...]) -> list[int]:
    """Return the first of all keys of that version in the order of arrays: `[1, 10]`."""
    numbers = list(key)
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return numbers


def greatest_key(key: tuple[int, ...]) -> list[int]:
    """Return the last of all keys of that version in the order of arrays: `[1, 10, 0, 0, 0, 0]`."""
    return [*key, *[0] * (MOST_NUMBERS - len(key))]
