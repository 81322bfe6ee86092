"""The SDK's exceptions become answers; and what it does that the other transports never do."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from loadtests.fcm_emulator.process import Emulator
from pushcore.transports.base import Answer, Fault, OpenGate
from pushcore.transports.sdk import SdkTransport

Connect = Callable[..., SdkTransport]


@pytest.fixture
def connect() -> Iterator[Connect]:
    transports: list[SdkTransport] = []

    def make(endpoint: str, ca_file: Path | str | None, token: str = "none") -> SdkTransport:
        transport = SdkTransport(
            endpoint=endpoint,
            project_id="demo",
            access_token=lambda: token,
            ca_file=None if ca_file is None else str(ca_file),
            timeout_s=0.5,
        )
        transports.append(transport)
        return transport

    yield make
    for transport in transports:
        transport.close()


def send(transport: SdkTransport, *messages: dict[str, object]) -> list[Answer | None]:
    bodies = [orjson.dumps({"message": message}) for message in messages]
    return transport.send(bodies, gate=OpenGate())


def test_what_finds_no_server_was_never_sent(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    transport = connect(f"http://127.0.0.1:{port}", None)
    assert send(transport, {"token": "a"}) == [Answer(0, fault=Fault.NEVER_SENT)]


def test_no_answer_in_time_is_a_timeout(connect: Connect, fcm_wire: Emulator) -> None:
    token = fcm_wire.control.access_token()
    transport = connect(fcm_wire.url, fcm_wire.ca_file, token)
    answers = send(transport, {"token": "e1.hang.always.1"}, {"token": "e1.ok.1"})
    assert answers[0] == Answer(0, fault=Fault.TIMEOUT)
    assert answers[1] is not None
    assert answers[1].status == 200


def test_it_posts_again_when_an_answer_is_lost_which_is_why_it_is_no_default(
    connect: Connect, fcm_wire: Emulator
) -> None:
    token = fcm_wire.control.access_token()
    transport = connect(fcm_wire.url, fcm_wire.ca_file, token)
    (answer,) = send(transport, {"token": "e1.accept_drop.once"})
    assert answer is not None
    assert answer.status == 200
    assert fcm_wire.control.counts(["e1.accept_drop.once"]) == [2]


def test_what_it_refuses_to_encode_is_answered_as_fcm_would(
    connect: Connect, fcm_emulator: Emulator
) -> None:
    token = fcm_emulator.control.access_token()
    transport = connect(fcm_emulator.url, fcm_emulator.ca_file, token)
    answers = send(transport, {"token": "a", "android": {"priority": "urgent"}}, {"token": "b"})
    assert answers[0] is not None
    assert answers[1] is not None
    assert (answers[0].status, answers[1].status) == (400, 200)
    assert orjson.loads(answers[0].body)["error"]["status"] == "INVALID_ARGUMENT"
