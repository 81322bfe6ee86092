"""Waiting for something to happen, with an end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
LOOK_EVERY_S = 0.02


class TooLateError(Exception):
    """It did not happen in time; the message says what."""


def wait_until(
    look: Callable[[], T | None], *, within_s: float, what: str, every_s: float = LOOK_EVERY_S
) -> T:
    """Look until there is something to see, and return it.

    Raises:
        TooLateError: there was nothing within `within_s` seconds.
    """
    deadline = time.monotonic() + within_s
    while not (seen := look()):
        if time.monotonic() > deadline:
            message = f"Not within {within_s:.0f} s: {what}."
            raise TooLateError(message)
        time.sleep(every_s)
    return seen
