"""The fake: what its handler sees and what it remembers."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pushcore.transports.base import Answer, Fault, OpenGate
from pushcore.transports.fake import FakeTransport
from tests.pushcore.transports.gates import RecordingGate


def body(token: str, **request: Any) -> bytes:
    return orjson.dumps({**request, "message": {"token": token}})


def test_the_handler_sees_each_message_once_in_order() -> None:
    seen: list[dict[str, Any]] = []

    def handler(message: dict[str, Any]) -> Answer:
        seen.append(message)
        return Answer(200)

    FakeTransport(handler).send([body("a"), body("b")], gate=OpenGate())
    assert seen == [{"token": "a"}, {"token": "b"}]


def test_it_remembers_whole_requests() -> None:
    fake = FakeTransport(lambda _: Answer(200))
    fake.send([body("a", validate_only=True)], gate=OpenGate())
    assert fake.requests == [{"validate_only": True, "message": {"token": "a"}}]


def test_faults_are_answers_too() -> None:
    fake = FakeTransport(lambda _: Answer(0, fault=Fault.BROKEN))
    assert fake.send([body("a")], gate=OpenGate()) == [Answer(0, fault=Fault.BROKEN)]


def test_what_the_handler_raises_is_raised_in_the_middle_of_the_batch() -> None:
    def handler(message: dict[str, Any]) -> Answer:
        if message["token"] == "b":
            raise TimeoutError
        return Answer(200)

    fake = FakeTransport(handler)
    with pytest.raises(TimeoutError):
        fake.send([body("a"), body("b"), body("c")], gate=OpenGate())
    assert [request["message"]["token"] for request in fake.requests] == ["a", "b"]


def test_no_more_is_asked_of_the_gate_than_may_be_in_flight() -> None:
    wanted: list[int] = []

    class CountingGate(RecordingGate):
        def admit(self, count: int) -> int:
            wanted.append(count)
            return count

    fake = FakeTransport(lambda _: Answer(200), in_flight=2)
    fake.send([body(name) for name in "abcde"], gate=CountingGate())
    assert wanted == [2, 2, 1]
