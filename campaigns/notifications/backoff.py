"""When to try again to tell somebody, and when to give up; pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

MAX_ATTEMPTS: Final = 10
"""The last one comes about two days after the first: a weekend's outage loses nothing."""
FIRST_WAIT_S: Final = 5
LONGEST_WAIT_S: Final = 24 * 3_600
DISABLE_AFTER: Final = timedelta(days=2)
"""A channel that nothing has reached for so long is disabled, until a person looks at it."""


def wait_after(attempts: int, *, luck: float) -> timedelta:
    """Return how long to wait after so many failed attempts: four times as long each time.

    `luck` (0 to 1) shortens it by up to a half, so that many that failed together don't come
    back together.
    """
    longest_s = min(FIRST_WAIT_S * 4 ** (attempts - 1), LONGEST_WAIT_S)
    return timedelta(seconds=longest_s * (1 - luck / 2))
