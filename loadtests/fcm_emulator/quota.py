"""A project's messages per minute: windows of 60 s with a phase of their own, refilled in full."""

from __future__ import annotations

WINDOW_S = 60.0


class Quota:
    """The quota of one project. Times are seconds on one clock, whichever it is."""

    def __init__(self, *, per_minute: int, phase_s: float) -> None:
        self.per_minute = per_minute
        self._phase_s = phase_s
        self._window_ends = float("-inf")
        self._used = 0

    def spend(self, now: float) -> bool:
        """Take one message out; False if the window has none left, and then nothing changes."""
        if not self.per_minute:
            return True
        self._turn(now)
        if self._used >= self.per_minute:
            return False
        self._used += 1
        return True

    def spend_anyway(self, now: float) -> None:
        """Count a message that was refused before the quota was looked at: those count too."""
        self._turn(now)
        self._used += 1

    def refilled_in(self, now: float) -> float:
        """Return the seconds until the next window."""
        self._turn(now)
        return self._window_ends - now

    def _turn(self, now: float) -> None:
        if now >= self._window_ends:
            windows = (now - self._phase_s) // WINDOW_S
            self._window_ends = (windows + 1) * WINDOW_S + self._phase_s
            self._used = 0
