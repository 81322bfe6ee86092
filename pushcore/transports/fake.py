"""A transport in memory: a plain function answers, for tests and for trying out an engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from pushcore.transports.base import Answer, Gate

MAX_WAIT_S: Final = 0.05
"""The longest sleep before the gate is asked again."""


class FakeTransport:
    """Hands each message to `handler`, one after the other (a `Transport`).

    `handler` gets the `message` of the request as a dict and returns its answer; what it raises,
    `send` raises. At most `in_flight` messages are asked of the gate at a time.
    """

    def __init__(
        self, handler: Callable[[dict[str, Any]], Answer], *, in_flight: int = 500
    ) -> None:
        self.handler = handler
        self.requests: list[dict[str, Any]] = []
        """Every request that was sent, in order: `message`, and `validate_only` where it was."""
        self._in_flight = in_flight

    def send(self, bodies: Sequence[bytes], *, gate: Gate) -> list[Answer | None]:
        """Send each body once; see `Transport.send`."""
        answers: list[Answer | None] = [None] * len(bodies)
        started = 0
        while started < len(bodies) and not gate.is_closed():
            admitted = gate.admit(min(len(bodies) - started, self._in_flight))
            for index in range(started, started + admitted):
                answer = answers[index] = self._answer(bodies[index])
                gate.observe(answer)
            started += admitted
            if not admitted:
                time.sleep(min(gate.wait_s(), MAX_WAIT_S))
        return answers

    def abandon(self) -> None:
        """Nothing is ever in flight between two calls."""

    def close(self) -> None:
        """There is no connection."""

    def _answer(self, body: bytes) -> Answer:
        request: dict[str, Any] = orjson.loads(body)
        self.requests.append(request)
        return self.handler(request["message"])
