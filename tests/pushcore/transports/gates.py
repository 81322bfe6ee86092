"""Gates that tests steer."""

from __future__ import annotations

from pushcore.transports.base import Answer, OpenGate


class RecordingGate(OpenGate):
    """Open, and remembers what it was asked and told."""

    def __init__(self) -> None:
        self.started = 0
        self.heard: list[Answer] = []

    def admit(self, wanted: int) -> int:
        assert wanted >= 1
        self.started += wanted
        return wanted

    def observe(self, answer: Answer) -> None:
        self.heard.append(answer)


class DrippingGate(RecordingGate):
    """Lets one message start at every second question."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.refusals = 0

    def admit(self, wanted: int) -> int:
        self.asked += 1
        return super().admit(1) if self.asked % 2 else 0

    def wait_s(self) -> float:
        self.refusals += 1
        return 0.001


class ClosingGate(RecordingGate):
    """Lets the first `after` messages start, and closes for good once all of them are answered."""

    def __init__(self, *, after: int) -> None:
        super().__init__()
        self.after = after

    def admit(self, wanted: int) -> int:
        assert not self.is_closed()
        allowed = min(wanted, self.after - self.started)
        return super().admit(allowed) if allowed else 0

    def wait_s(self) -> float:
        return 0.001

    def is_closed(self) -> bool:
        return len(self.heard) >= self.after


class ShutGate(RecordingGate):
    """Closed from the beginning."""

    def is_closed(self) -> bool:
        return True


class CountingGate(RecordingGate):
    """Open, and counts how often it is asked whether it still is."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def is_closed(self) -> bool:
        self.asked += 1
        return False


class Interrupted(Exception):
    """What a soft time limit raises in the middle of a call."""


class InterruptingGate(RecordingGate):
    """Raises when it hears its first answer, as a signal handler would."""

    def observe(self, answer: Answer) -> None:
        raise Interrupted
