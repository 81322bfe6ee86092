"""The gate of one batch: messages start as the shared pace allows, until there is reason to stop.

It closes on pause or cancel (the caller's `poll`), on the deadline, when a breaker trips, and when
the project is blocked, or the pace too slow, for longer than is worth waiting for with a process in
hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from pushcore.breakers import BatchBreaker
from pushcore.messages import Priority
from pushcore.metrics import IN_FLIGHT
from pushcore.outcomes import Trouble, Verdict, judge
from pushcore.pacing import HOLD_S, Limit, Pacer
from pushcore.transports.base import Answer

POLL_S: Final = 0.5
"""How often the caller is asked about pause, cancel and rate: both are in force within 2 s."""
ASK_S: Final = 1.0
"""The pacer is asked at least so often: what it said may have been changed by a person since."""
PATIENCE_S: Final = 5.0
"""Blocked for longer, the batch is handed back: its process may have other projects to serve."""
STARVED_S: Final = 2.0
"""So long in all a batch waits for the quota or its campaign's own pace, then the rest is handed
back: whatever is urgent finds a process again within that time. At full pace nobody waits so long:
even thirty processes that share 10,000 messages a second get 500 each within 1.5 s."""
MAX_CHUNK: Final = 100
"""Permits taken at once: at 10,000 messages a second a process asks every 10 ms at most."""
_PACES: Final = (Limit.QUOTA, Limit.CAMPAIGN)


class Live(NamedTuple):
    """What may change about a campaign while a batch of it is being sent."""

    stop: bool = False
    """Whether no more may start: paused, cancelled, or the process is to end."""
    rate_limit_per_second: float | None = None
    """The campaign's own pace; None for none."""


class Pacing(NamedTuple):
    """Whose messages these are, to the pacer."""

    pacer: Pacer
    priority: Priority
    campaign_key: str


class Clocks(NamedTuple):
    """Where time is read; tests bring their own."""

    monotonic: Callable[[], float]
    wall: Callable[[], float]
    """Seconds since the epoch."""


class PacedGate:
    """A `Gate` for one batch.

    `messages` is how many there are to be sent, so that no permit is taken in vain; `deadline` is a
    time of `clocks.monotonic`. After the batch, `waited_s` says how long was waited for permits
    and because of what, `blocked_s` for how long the project is blocked, where that closed it.
    """

    def __init__(
        self,
        pacing: Pacing,
        *,
        breaker: BatchBreaker,
        poll: Callable[[], Live],
        messages: int,
        deadline: float,
        clocks: Clocks,
    ) -> None:
        self.blocked_s = 0.0
        self.waited_s: dict[str, float] = {}
        self._pacing = pacing
        self._breaker = breaker
        self._poll = poll
        self._deadline = deadline
        self._clocks = clocks
        self._live = poll()
        self._poll_at = clocks.monotonic() + POLL_S
        self._closed = False
        self._to_start = messages
        self._in_flight = 0
        self._permits = 0
        self._permits_until = 0.0
        self._chunk = 1
        self._ask_at = 0.0
        self._penalise_at = 0.0
        self._gauge = IN_FLIGHT.labels(pacing.pacer.project_key)
        self._waiting: tuple[Limit, float] | None = None

    def admit(self, wanted: int) -> int:
        """Return how many of `wanted` may start now; asks the pacer where no permits are left."""
        now = self._clocks.monotonic()
        if self._permits and now > self._permits_until:
            # Too old to be spent: they would arrive on top of what the others send now.
            self._permits, self._chunk = 0, max(1, self._chunk // 2)
        if not self._permits and now >= self._ask_at and not self.is_closed():
            self._take(wanted, now)
        admitted = min(wanted, self._permits)
        self._permits -= admitted
        self._to_start -= admitted
        self._in_flight += admitted
        return admitted

    def wait_s(self) -> float:
        """Return in how many seconds the pacer is worth asking again."""
        return max(0.0, self._ask_at - self._clocks.monotonic())

    def is_closed(self) -> bool:
        """Whether nothing more may start; final once true."""
        if not self._closed:
            now = self._clocks.monotonic()
            if now >= self._poll_at:
                self._live = self._poll()
                self._poll_at = now + POLL_S
            tripped = self._breaker.trouble is not Trouble.NONE
            self._closed = tripped or self._live.stop or now >= self._deadline
        return self._closed

    def observe(self, answer: Answer) -> None:
        """Hear an answer: it may trip a breaker, or tell that the project's quota is used up."""
        self._in_flight -= 1
        if answer.status == 200:
            self._breaker.hear_success()
            return
        verdict = judge(answer, now=self._clocks.wall())
        self._breaker.hear(verdict)
        if verdict.trouble is Trouble.PROJECT_QUOTA:
            self._penalise(verdict)

    def close(self) -> None:
        """Let nothing more start, and settle the account of waiting."""
        self._closed = True
        self._note_wait(None, self._clocks.monotonic())
        self._gauge.set(0)

    def _take(self, wanted: int, now: float) -> None:
        """Take as many permits as can be used up within `HOLD_S`, going by how it went so far."""
        grant = self._pacing.pacer.take(
            min(max(wanted, self._chunk), self._to_start),
            priority=self._pacing.priority,
            campaign_key=self._pacing.campaign_key,
            campaign_rate=self._live.rate_limit_per_second,
        )
        self._note_wait(None if grant.granted else grant.limited_by, now)
        self._gauge.set(self._in_flight)
        if grant.granted:
            self._permits, self._permits_until = grant.granted, now + HOLD_S
            self._chunk = min(MAX_CHUNK, self._chunk * 2)
            return
        self._ask_at = now + min(grant.wait_s, ASK_S)
        if grant.limited_by is Limit.BLOCKED and grant.wait_s > PATIENCE_S:
            self._closed, self.blocked_s = True, grant.wait_s
        if sum(self.waited_s.get(limit, 0.0) for limit in _PACES) >= STARVED_S:
            self._closed = True

    def _penalise(self, verdict: Verdict) -> None:
        """Tell all workers; once a second is enough for what was in flight together."""
        now = self._clocks.monotonic()
        if now >= self._penalise_at:
            self._penalise_at = now + 1.0
            self._pacing.pacer.penalise(verdict.retry_after_s)
            self._permits, self._ask_at = 0, 0.0

    def _note_wait(self, limit: Limit | None, now: float) -> None:
        """Add up the time between a refusal and the next grant, by what was short."""
        if self._waiting is not None:
            waited_for, since = self._waiting
            self.waited_s[waited_for] = self.waited_s.get(waited_for, 0.0) + now - since
        self._waiting = None if limit is None else (limit, now)
