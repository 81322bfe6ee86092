"""What every transport does: the fake in memory, the others against the emulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from loadtests.fcm_emulator.process import Emulator
from pushcore.transports.base import Answer, Transport
from pushcore.transports.fake import FakeTransport
from pushcore.transports.sdk import SdkTransport
from tests.pushcore.transports.clients import KINDS
from tests.pushcore.transports.gates import (
    ClosingGate,
    DrippingGate,
    Interrupted,
    InterruptingGate,
    RecordingGate,
    ShutGate,
)

PROJECT = "demo"


def body_for(token: str, **request: Any) -> bytes:
    notification = {"title": "Hello", "body": "A message"}
    return orjson.dumps({"message": {"token": token, "notification": notification}, **request})


def error(answer: Answer) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(answer.body)
    found: dict[str, Any] = body["error"]
    return found


class World:
    """A transport and what reached the other side of it."""

    def __init__(self, transport: Transport, accepted: Callable[[list[str]], list[int]]) -> None:
        self.transport = transport
        self.accepted = accepted

    def send(self, tokens: list[str], gate: RecordingGate) -> list[Answer | None]:
        return self.transport.send([body_for(token) for token in tokens], gate=gate)


def fake_handler(message: dict[str, Any]) -> Answer:
    behaviour = message["token"].split(".")[1]
    statuses = {"ok": 200, "unregistered": 404, "bad_gateway": 502, "third_party_auth": 401}
    if behaviour == "bad_gateway":
        return Answer(502, b"<!DOCTYPE html>")
    codes = {"unregistered": "NOT_FOUND", "third_party_auth": "UNAUTHENTICATED"}
    body = {"error": {"status": codes[behaviour]}} if behaviour in codes else {"name": "projects/…"}
    return Answer(statuses[behaviour], orjson.dumps(body))


@pytest.fixture(params=["fake", "sdk", "http2", "curl"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "fake":
        fake = FakeTransport(fake_handler)

        def sent(tokens: list[str]) -> list[int]:
            real = [request for request in fake.requests if not request.get("validate_only")]
            seen = [request["message"]["token"] for request in real]
            return [seen.count(token) for token in tokens]

        yield World(fake, sent)
        return
    emulator: Emulator = request.getfixturevalue("fcm_emulator")
    token = emulator.control.access_token()
    kinds = {"sdk": SdkTransport, **KINDS}
    transport = kinds[request.param](
        endpoint=emulator.url,
        project_id=PROJECT,
        access_token=lambda: token,
        ca_file=str(emulator.ca_file),
    )
    yield World(transport, lambda tokens: emulator.control.counts(tokens, project=PROJECT))
    transport.close()


def tokens_for(behaviour: str, count: int) -> list[str]:
    return [f"e1.{behaviour}.{index}" for index in range(count)]


def test_answers_are_in_the_order_of_the_bodies(world: World) -> None:
    tokens = [f"e1.{'unregistered' if index % 3 else 'ok'}.{index}" for index in range(30)]
    answers = world.send(tokens, RecordingGate())
    assert [answer and answer.status for answer in answers] == [
        404 if index % 3 else 200 for index in range(30)
    ]


def test_every_message_arrives_exactly_once(world: World) -> None:
    tokens = tokens_for("ok", 40)
    world.send(tokens, RecordingGate())
    assert world.accepted(tokens) == [1] * 40


def test_success_carries_the_name_of_the_message(world: World) -> None:
    (answer,) = world.send(["e1.ok.1"], RecordingGate())
    assert answer is not None
    assert answer.status == 200
    assert orjson.loads(answer.body)["name"].startswith("projects/")


def test_a_refusal_carries_the_providers_body(world: World) -> None:
    (dead, auth) = world.send(["e1.unregistered.1", "e1.third_party_auth.1"], RecordingGate())
    assert dead is not None
    assert auth is not None
    assert (dead.status, error(dead)["status"]) == (404, "NOT_FOUND")
    assert (auth.status, error(auth)["status"]) == (401, "UNAUTHENTICATED")


def test_a_body_that_is_no_json_is_passed_on(world: World) -> None:
    (answer,) = world.send(["e1.bad_gateway.always.1"], RecordingGate())
    assert answer is not None
    assert answer.status == 502
    assert answer.body.startswith(b"<!DOCTYPE html>")


def test_every_answer_is_heard_once_by_the_gate(world: World) -> None:
    gate = RecordingGate()
    answers = world.send(tokens_for("ok", 25), gate)
    assert gate.started == 25
    assert sorted(map(repr, gate.heard)) == sorted(map(repr, answers))


def test_no_message_starts_that_the_gate_did_not_admit(world: World) -> None:
    gate = DrippingGate()
    answers = world.send(tokens_for("ok", 6), gate)
    assert [answer and answer.status for answer in answers] == [200] * 6
    assert gate.started == 6
    assert gate.refusals >= 5


def test_a_closed_gate_lets_nothing_start(world: World) -> None:
    tokens = tokens_for("ok", 3)
    gate = ShutGate()
    assert world.send(tokens, gate) == [None, None, None]
    assert gate.started == 0
    assert world.accepted(tokens) == [0, 0, 0]


def test_a_gate_that_closes_midway_leaves_the_rest_unsent(world: World) -> None:
    tokens = tokens_for("ok", 20)
    answers = world.send(tokens, ClosingGate(after=4))
    assert [answer and answer.status for answer in answers] == [200] * 4 + [None] * 16
    assert world.accepted(tokens) == [1] * 4 + [0] * 16


def test_an_empty_batch_asks_and_sends_nothing(world: World) -> None:
    gate = RecordingGate()
    assert world.send([], gate) == []
    assert gate.started == 0


def test_a_transport_is_good_for_the_next_batch(world: World) -> None:
    for batch in range(3):
        answers = world.send([f"e1.ok.{batch}"], RecordingGate())
        assert [answer and answer.status for answer in answers] == [200]


def test_an_interrupted_batch_raises_and_the_next_one_is_whole(world: World) -> None:
    with pytest.raises(Interrupted):
        world.send(tokens_for("ok", 10), InterruptingGate())
    world.transport.abandon()
    tokens = [f"e1.ok.next-{index}" for index in range(5)]
    gate = RecordingGate()
    answers = world.send(tokens, gate)
    assert [answer and answer.status for answer in answers] == [200] * 5
    assert len(gate.heard) == 5
    assert world.accepted(tokens) == [1] * 5


def test_a_dry_run_is_answered_and_accepted_by_nobody(world: World) -> None:
    (answer,) = world.transport.send(
        [body_for("e1.ok.dry", validate_only=True)], gate=RecordingGate()
    )
    assert answer is not None
    assert answer.status == 200
    assert world.accepted(["e1.ok.dry"]) == [0]
