"""Platforms whose key at the provider is broken: their devices fail untried for a while.

A refused APNs or web-push key (THIRD_PARTY_AUTH_ERROR) condemns every device of that platform and
none of the others. Once nearly all answers for a platform say so, asking for each further device
would only waste quota; after `PLATFORM_HOLD_S` some are tried again, as a human may have mended it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from pushcore.breakers import ShareBreaker
from pushcore.messages import Platform

PLATFORM_HOLD_S: Final = 60.0
_SHARE: Final = 0.9
_MINIMUM: Final = 20


class PlatformHolds:
    """Which platforms of one project are held, seen from one process.

    Times are seconds on one clock, whichever it is.
    """

    def __init__(self) -> None:
        self._held_until: dict[Platform, float] = {}

    def held(self, now: float) -> set[Platform]:
        """Return the platforms that are not to be tried now."""
        return {platform for platform, until in self._held_until.items() if now < until}

    def hear(self, answers: Iterable[tuple[Platform, bool]], *, now: float) -> None:
        """Hold what nearly all answers of a batch blame: each is (platform, blames its key)."""
        breakers: dict[Platform, ShareBreaker] = defaultdict(
            lambda: ShareBreaker(threshold=_SHARE, minimum=_MINIMUM)
        )
        for platform, is_blamed in answers:
            breakers[platform].count(hit=is_blamed)
        for platform, breaker in breakers.items():
            if breaker.is_tripped:
                self._held_until[platform] = now + PLATFORM_HOLD_S
