"""How soon the API is to answer while a campaign is being sent, and whether it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from loadtests.load.calls import Call

GOALS_MS: Final = {"send": 150.0, "stats": 50.0}
"""At p99, beside a campaign to a million devices on the same two cores."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one kind of call came to, in milliseconds; None where nobody made it."""

    call: str
    goal_ms: float
    idle_p99_ms: float | None
    sending_p99_ms: float | None
    sending_calls: int
    """Of fewer than a hundred, p99 is just the slowest."""

    @property
    def is_met(self) -> bool:
        """Whether it was answered soon enough beside the campaign."""
        return self.sending_p99_ms is not None and self.sending_p99_ms <= self.goal_ms

    def sentence(self) -> str:
        """Say it to a person."""
        if self.sending_p99_ms is None:
            return f"{self.call}: nobody asked for it beside the campaign."
        word = "met" if self.is_met else "missed"
        idle = "–" if self.idle_p99_ms is None else f"{self.idle_p99_ms:,.0f} ms"
        return (
            f"{self.call}: p99 {self.sending_p99_ms:,.0f} ms beside the campaign"
            f" ({self.sending_calls:,} calls), {idle} with nothing sent;"
            f" the goal of {self.goal_ms:,.0f} ms is {word}."
        )


def verdicts(idle: Sequence[Call], sending: Sequence[Call]) -> list[Verdict]:
    """Return what each call that has a goal came to."""
    before = {call.name: call for call in idle}
    beside = {call.name: call for call in sending}
    return [
        Verdict(
            call=name,
            goal_ms=goal_ms,
            idle_p99_ms=before[name].p99 if name in before else None,
            sending_p99_ms=beside[name].p99 if name in beside else None,
            sending_calls=beside[name].count if name in beside else 0,
        )
        for name, goal_ms in GOALS_MS.items()
    ]
