"""A server that breaks HTTP/2 in every way: nothing is lost, nothing sent twice."""

from __future__ import annotations

import pytest

from loadtests.fcm_emulator.process import Emulator
from pushcore.transports.base import Fault
from tests.pushcore.transports.clients import Connect, Serve, faults, send, warmed

SECURE = pytest.mark.parametrize("secure", [True, False], ids=["tls", "plain"])


@SECURE
@pytest.mark.parametrize(
    "behaviour",
    [
        "cut",
        "fin",
        "bare_fin",
        "garbage",
        "rst:INTERNAL_ERROR",
        "rst:CANCEL",
        "rst:NO_ERROR",
        "rst:ENHANCE_YOUR_CALM",
    ],
)
@pytest.mark.parametrize("reused", [True, False], ids=["reused", "fresh"])
def test_a_message_that_was_read_and_not_answered_is_broken_and_never_sent_again(
    serve: Serve, connect: Connect, behaviour: str, *, secure: bool, reused: bool
) -> None:
    server = serve(secure=secure)
    transport = connect(server)
    if reused:
        warmed(transport)
    token = f"{behaviour}.1"
    assert faults(send(transport, token)) == [Fault.BROKEN]
    assert server.read[token] == 1


@SECURE
@pytest.mark.parametrize("behaviour", ["cut", "fin", "bare_fin", "garbage"])
def test_a_lost_connection_breaks_all_its_messages_at_once_and_none_is_sent_again(
    serve: Serve, connect: Connect, behaviour: str, *, secure: bool
) -> None:
    server = serve(secure=secure)
    transport = warmed(connect(server, connections=1, timeout_s=3.0))
    tokens = [f"hang.{index}" for index in range(40)]
    answers = send(transport, *tokens, f"{behaviour}.1")
    assert faults(answers) == [Fault.BROKEN] * 41
    assert max(server.read.values()) == 1
    assert [answer.status for answer in send(transport, "ok.after")] == [200]


@SECURE
def test_what_a_server_refuses_was_never_sent(
    serve: Serve, connect: Connect, *, secure: bool
) -> None:
    server = serve(secure=secure)
    transport = warmed(connect(server))
    answers = send(transport, "rst:REFUSED_STREAM.1", "ok.1")
    assert (answers[0].fault, answers[1].status) == (Fault.NEVER_SENT, 200)
    assert server.read["rst:REFUSED_STREAM.1"] == 1


@SECURE
def test_streams_above_goaways_last_were_never_sent_and_those_below_are_answered(
    serve: Serve, connect: Connect, *, secure: bool
) -> None:
    server = serve(secure=secure)
    transport = warmed(connect(server, connections=1))
    tokens = [f"hold:10.{index}" for index in range(10)]
    answers = send(transport, *tokens)
    assert [answer.status for answer in answers] == [200] * 5 + [0] * 5
    assert faults(answers) == [None] * 5 + [Fault.NEVER_SENT] * 5
    assert [server.read[token] for token in tokens] == [1] * 10


@SECURE
def test_a_graceful_goaway_amid_a_batch_loses_and_repeats_nothing(
    serve: Serve, connect: Connect, *, secure: bool
) -> None:
    server = serve(secure=secure)
    transport = warmed(connect(server, in_flight=20))
    tokens = [f"{'leave' if index % 50 == 10 else 'slow:2'}.{index}" for index in range(200)]
    answers = send(transport, *tokens)
    assert [answer.status for answer in answers] == [200] * 200
    assert [server.read[token] for token in tokens] == [1] * 200
    assert server.connections > 1


def test_no_fault_of_the_wire_makes_a_message_arrive_twice_or_be_misreported(
    fcm_wire: Emulator, connect: Connect
) -> None:
    kinds = ["ok", "reset", "refused", "goaway", "drop", "accept_reset", "accept_drop", "slow.5"]
    tokens = [f"e1.{kind}.{index}" for index in range(20) for kind in kinds]
    access_token = fcm_wire.control.access_token()
    transport = connect(
        fcm_wire.url, ca_file=str(fcm_wire.ca_file), token=lambda: access_token, in_flight=40
    )
    answers = send(transport, *tokens)
    counts = fcm_wire.control.counts(tokens, project="demo")
    assert max(counts) == 1
    for answer, count in zip(answers, counts, strict=True):
        if answer.status == 200:
            assert count == 1
        if answer.fault is Fault.NEVER_SENT:
            assert count == 0
    assert {answer.fault for answer in answers} == {None, Fault.BROKEN, Fault.NEVER_SENT}


def test_a_server_that_hangs_up_between_batches_costs_nothing(
    serve: Serve, connect: Connect
) -> None:
    server = serve()
    transport = warmed(connect(server))
    server.cut_all()
    assert [answer.status for answer in send(transport, "ok.1", "ok.2")] == [200, 200]
    assert server.connections == 2


def test_a_full_connection_makes_it_open_others_up_to_its_limit(
    serve: Serve, connect: Connect
) -> None:
    server = serve()
    transport = connect(server, connections=3)
    tokens = [f"slow:30.{index}" for index in range(450)]
    assert [answer.status for answer in send(transport, *tokens)] == [200] * 450
    assert server.connections == 3
    assert server.most_streams == 100
    assert [server.read[token] for token in tokens] == [1] * 450


def test_a_lower_limit_of_the_servers_is_kept_and_stalls_nothing(
    serve: Serve, connect: Connect
) -> None:
    server = serve(max_streams=3)
    transport = warmed(connect(server, connections=1))
    tokens = [f"slow:1.{index}" for index in range(60)]
    assert [answer.status for answer in send(transport, *tokens)] == [200] * 60
    assert server.most_streams == 3
    assert server.connections == 1


def test_a_message_without_answer_times_out_alone(serve: Serve, connect: Connect) -> None:
    server = serve()
    transport = warmed(connect(server, timeout_s=1.0))
    answers = send(transport, "hang.1", "ok.1")
    assert (answers[0].fault, answers[1].status) == (Fault.TIMEOUT, 200)
    assert server.read["hang.1"] == 1


def test_what_waits_for_a_stream_until_its_timeout_was_never_sent(
    serve: Serve, connect: Connect
) -> None:
    server = serve(max_streams=1)
    transport = warmed(connect(server, connections=1, timeout_s=1.0))
    answers = send(transport, "hang.1", "hang.2")
    assert set(faults(answers)) == {Fault.NEVER_SENT, Fault.TIMEOUT}
    assert server.read["hang.1"] + server.read["hang.2"] == 1
