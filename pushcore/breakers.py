"""What stops more than one message: breakers that listen to answers; pure, no clock.

A `ShareBreaker` trips when too large a share goes wrong; the `BatchBreaker` of one batch trips at
the first answer that condemns all other messages too, so that no more than what is in flight
follows.
"""

from __future__ import annotations

from typing import Final

from pushcore.outcomes import Trouble, Verdict

_FATAL: Final = frozenset({Trouble.PAYLOAD, Trouble.PROJECT, Trouble.ACCESS_TOKEN})
"""What one answer suffices for: it is about every message of the campaign or the project."""


class ShareBreaker:
    """Trips once at least `minimum` were counted and at least the share `threshold` were hits."""

    __slots__ = ("_hits", "_minimum", "_threshold", "_total")

    def __init__(self, *, threshold: float, minimum: int) -> None:
        self._threshold = threshold
        self._minimum = minimum
        self._hits = 0
        self._total = 0

    def count(self, *, hit: bool, times: int = 1) -> None:
        """Count one more, or so many."""
        self._total += times
        self._hits += hit * times

    @property
    def is_tripped(self) -> bool:
        """Whether the share of hits is too large by now."""
        return self._total >= self._minimum and self._hits >= self._threshold * self._total


class BatchBreaker:
    """Hears the answers to one batch, and trips where they condemn what has not started yet.

    `trouble` then says why, and `words` what the provider said.
    `mismatches` judges the share of addresses that belong to another sender: one of them is that
    device's affair, many mean that the project is not the audience's.
    """

    def __init__(self, *, mismatches: ShareBreaker) -> None:
        self.trouble = Trouble.NONE
        self.words = ""
        self._mismatches = mismatches
        self._successes = 0
        """Not counted yet: they trip nothing, so that it can wait until something else is heard."""

    def hear_success(self) -> None:
        """Count an accepted message."""
        self._successes += 1

    def hear(self, verdict: Verdict) -> None:
        """Count any other verdict; the first trouble that trips is the one that stays."""
        self._mismatches.count(hit=False, times=self._successes)
        self._successes = 0
        self._mismatches.count(hit=verdict.trouble is Trouble.MISMATCH)
        if self.trouble is not Trouble.NONE:
            return
        if verdict.trouble in _FATAL:
            self.trouble, self.words = verdict.trouble, f"{verdict.code} {verdict.detail}".strip()
        elif self._mismatches.is_tripped:
            self.trouble, self.words = Trouble.MISMATCH, verdict.code
