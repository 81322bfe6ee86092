"""A batch let through its gate: what both HTTP/2 transports do with a wire of their own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol, TypeAlias

from pushcore.transports.base import Answer, Gate

MAX_WAIT_S: Final = 0.05
"""The longest sleep: how soon a gate that closed while all was quiet is noticed."""
TIME_EVERY: Final = 16
"""Every so manieth answer is timed: a sample says as much as all, for a sixteenth of the cost."""

Answered: TypeAlias = tuple[int, Answer]
"""What a message was started as (its place in a batch), and its answer or fault."""


class Wire(Protocol):
    """Where messages go out and answers come in."""

    def submit(self, place: int, body: bytes, *, now: float) -> None:
        """Send a message as soon as there is room; `place` names it in what `step` returns."""
        ...

    def step(self, wait_s: float) -> list[Answered]:
        """Write, wait at most `wait_s` seconds, read; return the answers since the last step."""
        ...


class GatedLoop:
    """Sends batch after batch, with at most `in_flight` messages started and unanswered."""

    def __init__(self, *, in_flight: int) -> None:
        self._in_flight = in_flight
        self._untimed = 0

    def run(self, bodies: Sequence[bytes], *, gate: Gate, wire: Wire) -> list[Answer | None]:
        """Send each body once its gate lets it start; see `Transport.send`."""
        answers: list[Answer | None] = [None] * len(bodies)
        begun_at: list[float] = []
        answered = 0
        while True:
            wait_s = MAX_WAIT_S
            started = len(begun_at)
            wanted = min(len(bodies) - started, self._in_flight - (started - answered))
            # Asked while answers are awaited too: whoever keeps a lease keeps it in there.
            if not gate.is_closed() and wanted:
                admitted = gate.admit(wanted)
                now = time.monotonic()
                for place in range(started, started + admitted):
                    wire.submit(place, bodies[place], now=now)
                begun_at += [now] * admitted
                if not admitted:
                    wait_s = min(wait_s, gate.wait_s())
            elif started == answered:
                return answers
            for place, answer in wire.step(wait_s):
                answered += 1
                answers[place] = heard = self._timed(answer, begun_at[place])
                gate.observe(heard)

    def _timed(self, answer: Answer, begun_at: float) -> Answer:
        self._untimed += 1
        if self._untimed < TIME_EVERY:
            return answer
        self._untimed = 0
        return replace(answer, seconds=time.monotonic() - begun_at)
