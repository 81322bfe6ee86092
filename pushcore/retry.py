"""When a device is tried again, or never; pure, no clock and no randomness of its own.

::

    decision = policy.decide(verdict, attempt=1, age_s=0.0, guarantee=guarantee,
                             was_ambiguous=False, random=random.random)
    match decision:
        case Final(outcome, code): ...      # settle
        case RetryIn(delay_s): ...          # keep pending until then

Google's rules ("Best practices when sending FCM messages at scale"): the first retry comes after
at least 10 s, later ones exponentially later with jitter, a 429 after its Retry-After or else
60 s; nothing is tried for longer than 60 minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from pushcore.outcomes import Outcome, Trouble, Verdict

_QUOTAS = (Trouble.PROJECT_QUOTA, Trouble.DEVICE_QUOTA)


class Guarantee(StrEnum):
    """What a campaign wants of a message that may or may not have been accepted."""

    AT_LEAST_ONCE = "at_least_once"
    """Try again: it may come twice, and then replaces itself on the device."""
    AT_MOST_ONCE = "at_most_once"
    """Never try again: it is recorded as unknown."""


class Final(NamedTuple):
    """The device is settled."""

    outcome: Outcome
    code: str


class RetryIn(NamedTuple):
    """The device stays pending for `delay_s` seconds."""

    delay_s: float
    counts: bool = True
    """Whether this attempt counts against `max_attempts`: not where it surely tried nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often, how long and at what distance is tried again."""

    max_attempts: int = 5
    """Attempts that may have reached the device, the first included."""
    max_age_s: float = 3_600.0
    """Nothing is tried again that would be later than this after the first attempt."""
    first_delay_s: float = 10.0
    """No retry comes sooner, but those that never left us."""
    max_delay_s: float = 600.0
    quota_delay_s: float = 60.0
    """The wait after a 429 without Retry-After, whether of the project or of a device."""

    def decide(
        self,
        verdict: Verdict,
        *,
        attempt: int,
        age_s: float,
        guarantee: Guarantee,
        was_ambiguous: bool,
        random: Callable[[], float],
    ) -> Final | RetryIn:
        """Return what is to be done about a device after this verdict.

        `attempt` is how many attempts counted so far, this one included (from 1); `age_s` the
        time since the first; `was_ambiguous` whether an earlier one may have been accepted;
        `random` gives numbers of [0, 1).

        A refusal of the project, of our access token or by the project's quota did surely not
        deliver and says nothing about the device: it does not count as an attempt. Those for the
        project and the token wait for a human however long that takes; the quota's are bound by
        age, like all others.
        """
        if verdict.outcome is not Outcome.PENDING:
            return Final(verdict.outcome, verdict.code)
        if verdict.ambiguous and guarantee is Guarantee.AT_MOST_ONCE:
            return Final(Outcome.UNKNOWN, verdict.code)
        if verdict.trouble in (Trouble.PROJECT, Trouble.ACCESS_TOKEN):
            return RetryIn(self.backoff_s(1, random=random), counts=False)
        counts = not (verdict.retry_now or verdict.trouble is Trouble.PROJECT_QUOTA)
        delay_s = self._delay_s(verdict, attempt=attempt, random=random)
        spent = counts and attempt >= self.max_attempts
        if spent or age_s + delay_s > self.max_age_s:
            unknown = verdict.ambiguous or was_ambiguous
            return Final(Outcome.UNKNOWN if unknown else Outcome.FAILED, verdict.code)
        return RetryIn(delay_s, counts)

    def backoff_s(
        self, attempt: int, *, random: Callable[[], float], floor_s: float = 0.0
    ) -> float:
        """Return the wait after the `attempt`-th attempt (from 1) in seconds.

        Full jitter over what is above the floor, so that what failed together does not come back
        together: uniform in [floor, floor + first x (2^attempt - 1)], the floor being the larger
        of `first_delay_s` and `floor_s`.
        """
        floor = max(self.first_delay_s, floor_s)
        ceiling = min(self.max_delay_s, self.first_delay_s * 2.0 ** min(attempt, 32))
        return floor + random() * max(0.0, ceiling - self.first_delay_s)

    def _delay_s(self, verdict: Verdict, *, attempt: int, random: Callable[[], float]) -> float:
        if verdict.retry_now:
            return 0.0
        floor_s = verdict.retry_after_s
        if floor_s is None:
            floor_s = self.quota_delay_s if verdict.trouble in _QUOTAS else 0.0
        if verdict.trouble is Trouble.PROJECT_QUOTA:
            # Quota waits do not count as attempts, so their distance does not grow either.
            attempt = 1
        return self.backoff_s(attempt, random=random, floor_s=floor_s)
