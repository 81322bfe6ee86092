"""What a transport is: it carries rendered messages to FCM and brings back every answer.

A transport decides nothing. It does not retry, does not judge an answer, and never raises for
what happens to a single message: a message that got no answer comes back with a `Fault` that
says how much is known about it. `pushcore.outcomes` judges, `pushcore.retry` decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Fault(StrEnum):
    """Why a message has no HTTP answer, by what the provider may have seen of it."""

    NEVER_SENT = "never_sent"
    """The provider cannot have processed it (connect failure, REFUSED_STREAM, a stream above
    GOAWAY's last id): sending it again is safe."""
    TIMEOUT = "timeout"
    """Written, and no answer within the request timeout: it may have been accepted."""
    BROKEN = "broken"
    """Written, then the stream or connection ended without an answer: it may have been accepted."""

    @property
    def is_ambiguous(self) -> bool:
        """Whether the provider may have accepted the message."""
        return self is not Fault.NEVER_SENT


@dataclass(frozen=True, slots=True)
class Answer:
    """The provider's answer to one message, or the fault that stood in for it."""

    status: int
    """The HTTP status; 0 where there is none, and then `fault` says why."""
    body: bytes = b""
    """The answer's body, cut at `MAX_BODY_BYTES`; where more than that was announced a
    transport may read none of it, and say so in words of its own."""
    retry_after: str | None = None
    """The Retry-After header: seconds or an HTTP date (RFC 9110 §10.2.3)."""
    fault: Fault | None = None
    seconds: float = 0.0
    """From the message's start to the end of its answer; 0 where it was not measured: a transport
    may time a sample only."""


class ForkedTransportError(RuntimeError):
    """A transport was used in another process than the one that made it: make it after the fork."""


MAX_BODY_BYTES = 16_384
"""No more of an answer's body is kept: real ones are under 1 KiB."""


class Gate(Protocol):
    """Decides when messages may start; asked by the transport's own loop, never blocking it."""

    def admit(self, wanted: int) -> int:
        """Return how many of `wanted` (≥ 1) messages may start now; each one counted as started."""
        ...

    def wait_s(self) -> float:
        """Return in how many seconds it is worth asking `admit` again, after it returned 0."""
        ...

    def is_closed(self) -> bool:
        """Whether nothing more may start (pause, cancel, deadline, breaker); final once true.

        To be asked all the time until `send` returns, twice a second at least, also when all has
        started: the caller may keep a lease alive by it.
        """
        ...

    def observe(self, answer: Answer) -> None:
        """Hear each answer as it arrives, so that a breaker can close the gate mid-batch."""
        ...


class Transport(Protocol):
    """Sends messages of one FCM project; belongs to one process, is not shared between threads."""

    def send(self, bodies: Sequence[bytes], *, gate: Gate) -> list[Answer | None]:
        """Send each body (the JSON of one `messages:send` request) once; wait for all answers.

        Returns the answers in the order of `bodies`; None for those that the gate never let
        start. Returns early once the gate is closed and what had started has been answered.
        No message is put on the wire twice, whatever happens to its connection.
        """
        ...

    def abandon(self) -> None:
        """Drop everything in flight and every connection; the transport stays usable.

        For a process that was interrupted within `send`: nothing of that call may still go out
        during a later one.
        """
        ...

    def close(self) -> None:
        """Close all connections; the transport is not used again."""
        ...


class OpenGate:
    """A gate that is always open: for canaries, tests and bare benchmarks."""

    def admit(self, wanted: int) -> int:
        """Let all start."""
        return wanted

    def wait_s(self) -> float:
        """Never asked, as `admit` never returns 0."""
        return 0.0

    def is_closed(self) -> bool:
        """Never."""
        return False

    def observe(self, answer: Answer) -> None:
        """Take no notice."""
