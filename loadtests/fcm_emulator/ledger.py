"""What the emulator saw and accepted: the ground truth that a sender's account is held against.

A target is known by 60 bits of its hash: a set of such numbers takes 60 to 90 bytes per device,
and among ten million the chance that any two are taken for one is below 1 in 10,000.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

_KEY_BITS = (1 << 60) - 1
MAX_KEPT_MESSAGES = 100_000
STEP_MS = 100
_STEPS_PER_S = 1_000 // STEP_MS
EARLIEST_RETRY_S = 10.0
"""How long Google asks to wait before the first retry, where no Retry-After says otherwise."""


def key_of(address: str) -> int:
    """Return the number under which this process knows an address."""
    return hash(address) & _KEY_BITS


class ProjectLedger:
    """The receipts of one project, and what is remembered of targets that met trouble."""

    def __init__(self) -> None:
        self.accepted: set[int] = set()
        self.repeats: dict[int, int] = {}
        """How many times more than once a target was accepted."""
        self.meetings: dict[int, int] = {}
        """How many messages to the target a passing behaviour has met."""
        self.not_before: dict[int, float] = {}
        """When a target that met passing trouble may be tried again (UNIX time)."""
        self.refused: set[int] = set()
        """Targets that were refused for good."""
        self.unanswered: set[int] = set()
        """Accepted targets of which the sender was not told so."""

    def count_of(self, address: str) -> int:
        """Return how many times a message to the address was accepted."""
        key = key_of(address)
        return self.repeats.get(key, 0) + 1 if key in self.accepted else 0


class Ledger:
    """All counters and receipts since the last reset."""

    def __init__(self, *, keep_tokens: bool) -> None:
        self.keep_tokens = keep_tokens
        self.projects: defaultdict[str, ProjectLedger] = defaultdict(ProjectLedger)
        self.tokens: dict[str, set[str]] = defaultdict(set)
        self.messages: dict[str, list[bytes]] = {}
        self.received = 0
        self.ok = 0
        """Requests answered 200; `by_status` counts the others."""
        self.validated_only = 0
        self.accepted = 0
        self.duplicates = 0
        self.early_retries = 0
        self.sends_after_final = 0
        self.oauth_calls = 0
        self.by_status: Counter[str] = Counter()
        self.by_error: Counter[str] = Counter()
        self.first_accept_at: float | None = None
        self.last_accept_at: float | None = None
        self._watched: set[int] = set()
        self._watched_at: list[float] = []
        self._steps: dict[int, list[int]] = {}
        """(received, accepted) per step of `STEP_MS`."""
        self._step = -1
        self._in_step = [0, 0]

    def receive(self, now: float) -> None:
        """Count a request to send, whatever becomes of it."""
        self.received += 1
        step = int(now * _STEPS_PER_S)
        if step != self._step:
            self._step = step
            self._in_step = self._steps.setdefault(step, [0, 0])
        self._in_step[0] += 1

    def notice_manners(self, project: ProjectLedger, key: int, now: float) -> None:
        """Count a message that comes too early, or after the last word on its target."""
        if project.not_before and now < project.not_before.get(key, 0.0):
            self.early_retries += 1
        if key in project.accepted:
            self.sends_after_final += key not in project.unanswered
        elif key in project.refused:
            self.sends_after_final += 1

    def accept(self, project: ProjectLedger, key: int, now: float) -> None:
        """Write the receipt of one accepted message."""
        self.accepted += 1
        if key in project.accepted:
            project.repeats[key] = project.repeats.get(key, 0) + 1
            self.duplicates += 1
        else:
            project.accepted.add(key)
        if self.first_accept_at is None:
            self.first_accept_at = now
        self.last_accept_at = now
        if key in self._watched:
            self._watched_at.append(now)
        self._in_step[1] += 1  # the step of its `receive`, which came just before

    def watch(self, addresses: Iterable[str]) -> None:
        """Note from now on when a message to one of these is accepted; forget those before."""
        self._watched = {key_of(address) for address in addresses}
        self._watched_at = []

    def watched(self) -> list[float]:
        """Return when messages to the watched addresses were accepted (UNIX time), in order."""
        return list(self._watched_at)

    def keep_message(self, address: str, body: bytes) -> None:
        """Keep an accepted message in full, up to a bound over all."""
        if len(self.messages) < MAX_KEPT_MESSAGES:
            self.messages.setdefault(address, []).append(body)

    def as_json(self) -> dict[str, Any]:
        """Return the statistics as a JSON object."""
        projects = self.projects.values()
        return {
            "received": self.received,
            "validated_only": self.validated_only,
            "accepted": self.accepted,
            "accepted_unique": sum(len(p.accepted) for p in projects),
            "accepted_twice": sum(len(p.repeats) for p in projects),
            "duplicates": self.duplicates,
            "by_status": {**({"200": self.ok} if self.ok else {}), **self.by_status},
            "by_error": dict(self.by_error),
            "oauth_calls": self.oauth_calls,
            "early_retries": self.early_retries,
            "sends_after_final": self.sends_after_final,
            "first_accept_at": self.first_accept_at,
            "last_accept_at": self.last_accept_at,
            "rate": self._rate(),
            "projects": {name: len(p.accepted) for name, p in self.projects.items()},
        }

    def _rate(self) -> dict[str, Any]:
        steps = self._steps
        first, last = min(steps, default=0), max(steps, default=-1)
        counted = [steps.get(step, (0, 0)) for step in range(first, last + 1)]
        return {
            "step_ms": STEP_MS,
            "started_at": first / _STEPS_PER_S if steps else None,
            "received": [received for received, _ in counted],
            "accepted": [accepted for _, accepted in counted],
        }
