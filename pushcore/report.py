"""What became of a batch: parallel lists in the order of its devices, and what concerns others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pushcore import metrics
from pushcore.messages import Platform
from pushcore.outcomes import Outcome, Trouble, Verdict
from pushcore.transports.base import Answer

_BREAKERS: Final = (
    Trouble.PAYLOAD,
    Trouble.PROJECT,
    Trouble.ACCESS_TOKEN,
    Trouble.PLATFORM,
    Trouble.MISMATCH,
)


@dataclass(slots=True)
class Report:
    """The result of one `Sender.send`; all lists are as long as its devices and in their order."""

    outcomes: list[int]
    """`Outcome` as a plain number, ready for the ledger."""
    message_ids: list[str | None]
    """The provider's id of each accepted message."""
    codes: list[str]
    """Why it is not a success, or not yet; "" for those never started."""
    details: list[str]
    """The provider's words, where the code does not say it all; holds no address."""
    retry_in_s: list[float | None]
    """For a pending device that was tried: not again before so many seconds from now. None for
    what is settled, and for what was never started, which may be sent at any time."""
    attempts: list[int]
    """Attempts that count, this call's included."""
    ambiguous: list[bool]
    """Whether any attempt so far may have been accepted."""
    troubles: dict[Trouble, str] = field(default_factory=dict)
    """What concerns more than single devices, with the provider's words: PAYLOAD fails the
    campaign; PROJECT, ACCESS_TOKEN and MISMATCH pause the project's campaigns; PLATFORM and
    PROJECT_QUOTA are for information (they are dealt with)."""
    broken_platforms: set[Platform] = field(default_factory=set)
    """The platforms whose key the provider refuses."""
    blocked_s: float = 0.0
    """For how long the whole project is blocked by its quota: the rest need not be tried before."""
    quota_refusals: Counter[str] = field(default_factory=Counter)
    """Answers 429, by scope: `project` or `device`."""
    waited_s: dict[str, float] = field(default_factory=dict)
    """Seconds waited for permission to send, by what was short (`pacing.Limit`)."""
    request_seconds: list[float] = field(default_factory=list)
    """How long requests took, as far as they were timed."""

    @classmethod
    def pending(cls, *, attempts: list[int], ambiguous: list[bool]) -> Report:
        """Return the report of a batch of which nothing has been tried yet."""
        size = len(attempts)
        return cls(
            outcomes=[int(Outcome.PENDING)] * size,
            message_ids=[None] * size,
            codes=[""] * size,
            details=[""] * size,
            retry_in_s=[None] * size,
            attempts=attempts,
            ambiguous=ambiguous,
        )

    def note(self, trouble: Trouble, words: str) -> None:
        """Remember a trouble; the first words about it stay."""
        self.troubles.setdefault(trouble, words)

    def hear(self, verdict: Verdict, *, platform: Platform, words: str) -> None:
        """Remember what one answer says about more than its device."""
        if verdict.trouble is Trouble.PROJECT_QUOTA:
            self.quota_refusals["project"] += 1
            self.note(verdict.trouble, words)
        elif verdict.trouble is Trouble.DEVICE_QUOTA:
            self.quota_refusals["device"] += 1
        elif verdict.trouble is Trouble.PLATFORM:
            self.broken_platforms.add(platform)
            self.note(verdict.trouble, words)

    def time(self, answers: Iterable[Answer | None]) -> None:
        """Remember how long those of the requests took that the transport has timed."""
        self.request_seconds += [one.seconds for one in answers if one is not None and one.seconds]

    def add_waits(self, waited_s: Mapping[str, float]) -> None:
        """Add seconds waited, by what was short."""
        for limit, seconds in waited_s.items():
            self.waited_s[limit] = self.waited_s.get(limit, 0.0) + seconds

    def count(self, *, project: str, priority: str, seconds: float) -> None:
        """Add the batch to the metrics: what was settled, and what was tried and has to wait."""
        counts = Counter(self.outcomes)
        pending = int(Outcome.PENDING)
        if counts[pending]:
            counts[pending] = sum(wait is not None for wait in self.retry_in_s)
        metrics.count_batch(
            project=project,
            priority=priority,
            counts=+counts,
            retried=self._retried() if max(self.attempts, default=0) > 1 else 0,
            seconds=seconds,
        )
        request_seconds = metrics.REQUEST_SECONDS.labels(project)
        for took in self.request_seconds:
            request_seconds.observe(took)
        for limit, waited in self.waited_s.items():
            metrics.PACE_WAITED_SECONDS.labels(project, priority, limit).inc(waited)
        for scope, number in self.quota_refusals.items():
            metrics.QUOTA_REFUSALS.labels(project, scope).inc(number)
        for trouble in _BREAKERS:
            metrics.BREAKER_OPEN.labels(project, trouble).set(trouble in self.troubles)

    def _retried(self) -> int:
        """Return how many were tried in this call, and not for the first time."""
        pending = int(Outcome.PENDING)
        return sum(
            attempts > 1 and (outcome != pending or wait is not None)
            for outcome, wait, attempts in zip(
                self.outcomes, self.retry_in_s, self.attempts, strict=True
            )
        )
