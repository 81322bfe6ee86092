"""libcurl against a server that breaks HTTP/2 in every way: nothing lost, nothing sent twice."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import certifi
import pytest

from loadtests.fcm_emulator.process import Emulator
from loadtests.fcm_emulator.tls import TlsFiles
from pushcore.outcomes import judge
from pushcore.transports.base import MAX_BODY_BYTES, Answer, Fault, OpenGate
from pushcore.transports.http2 import UNREAD, ForkedTransportError, Http2Transport
from tests.pushcore.transports.gates import (
    ClosingGate,
    CountingGate,
    Interrupted,
    InterruptingGate,
    RecordingGate,
)
from tests.pushcore.transports.wire import WireServer, message

Serve = Callable[..., WireServer]
Connect = Callable[..., Http2Transport]


@pytest.fixture
def connect(tls_files: TlsFiles) -> Iterator[Connect]:
    """Make a transport to a server or an endpoint; short of patience unless told otherwise."""
    transports: list[Http2Transport] = []

    def make(
        to: WireServer | str,
        *,
        ca_file: str | None = str(tls_files.ca),
        token: Callable[[], str] = lambda: "secret",
        connections: int = 2,
        in_flight: int = 500,
        timeout_s: float = 10.0,
    ) -> Http2Transport:
        transport = Http2Transport(
            endpoint=to if isinstance(to, str) else to.endpoint,
            project_id="demo",
            access_token=token,
            ca_file=ca_file,
            connections=connections,
            in_flight=in_flight,
            timeout_s=timeout_s,
            connect_timeout_s=5.0,
        )
        transports.append(transport)
        return transport

    yield make
    for transport in transports:
        transport.close()


def send(transport: Http2Transport, *tokens: str) -> list[Answer]:
    answers = transport.send([message(token) for token in tokens], gate=OpenGate())
    assert None not in answers
    return [answer for answer in answers if answer is not None]


def test_one_answer_of_sixteen_is_timed_whatever_the_size_of_batches(
    serve: Serve, connect: Connect
) -> None:
    transport = connect(serve())

    batches = [send(transport, *(f"slow:20.{number}.{n}" for n in range(10))) for number in (1, 2)]

    timed = [answer.seconds for batch in batches for answer in batch if answer.seconds]
    assert len(timed) == 1
    assert 0.02 <= timed[0] < 5


def faults(answers: list[Answer]) -> list[Fault | None]:
    return [answer.fault for answer in answers]


def warmed(transport: Http2Transport) -> Http2Transport:
    """Have a connection that the next messages reuse: only there does libcurl send again."""
    assert [answer.status for answer in send(transport, "ok.warm-up")] == [200]
    return transport


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


def test_what_finds_no_server_was_never_sent(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    transport = connect(f"https://127.0.0.1:{port}")
    assert faults(send(transport, "ok.1", "ok.2")) == [Fault.NEVER_SENT] * 2


def test_what_finds_no_name_was_never_sent(connect: Connect) -> None:
    transport = connect("https://fcm.invalid")  # RFC 6761 §6.4: never resolves
    assert faults(send(transport, "ok.1")) == [Fault.NEVER_SENT]


def test_a_server_that_nobody_vouches_for_gets_no_message(serve: Serve, connect: Connect) -> None:
    server = serve()
    transport = connect(server, ca_file=certifi.where())
    assert faults(send(transport, "ok.1")) == [Fault.NEVER_SENT]
    assert server.read.total() == 0
    assert server.authorizations.total() == 0


def test_without_an_authority_of_ones_own_certifis_are_trusted(
    serve: Serve, connect: Connect
) -> None:
    assert faults(send(connect(serve(), ca_file=None), "ok.1")) == [Fault.NEVER_SENT]


@pytest.mark.parametrize(("announced", "kept"), [("", b"x" * MAX_BODY_BYTES), ("1", UNREAD)])
def test_a_huge_body_is_cut_and_the_status_stays(
    serve: Serve, connect: Connect, announced: str, kept: bytes
) -> None:
    transport = connect(serve())
    (huge, fine) = send(transport, f"huge:{announced}.1", "ok.1")
    assert (huge.status, huge.body, huge.fault) == (500, kept, None)
    assert fine.status == 200


@pytest.mark.parametrize("announced", ["", "1"])
def test_a_200_with_too_long_a_body_is_nobodys_success(
    serve: Serve, connect: Connect, announced: str
) -> None:
    (portal,) = send(connect(serve()), f"portal:{announced}.1")
    assert portal.status == 200
    assert judge(portal, now=0).code == "NO_MESSAGE_ID"


def test_html_and_empty_bodies_are_passed_on(serve: Serve, connect: Connect) -> None:
    html, empty = send(connect(serve()), "html.1", "later:7.1")
    assert html == Answer(502, b"<html>Bad Gateway</html>")
    assert empty == Answer(503, b"", retry_after="7")


def test_retry_after_as_a_date_becomes_seconds(serve: Serve, connect: Connect) -> None:
    soon = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 60))
    (answer,) = send(connect(serve()), f"later:{soon}.1")
    assert answer.retry_after is not None
    assert 55 <= int(answer.retry_after) <= 60


def test_a_200_counts_even_if_the_rest_of_it_is_torn_off(serve: Serve, connect: Connect) -> None:
    (answer,) = send(connect(serve()), "torn:200.1")
    assert answer == Answer(200, b'{"name": "proj')


def test_a_refusal_that_is_torn_off_is_not_believed(serve: Serve, connect: Connect) -> None:
    assert faults(send(connect(serve()), "torn:404.1")) == [Fault.BROKEN]


def test_connections_live_from_batch_to_batch(serve: Serve, connect: Connect) -> None:
    server = serve()
    transport = connect(server)
    for batch in range(5):
        send(transport, f"ok.{batch}")
    assert server.connections == 1


def test_a_new_access_token_is_used_from_the_next_batch_on(serve: Serve, connect: Connect) -> None:
    server = serve()
    tokens = iter(["old", "old", "new"])
    transport = connect(server, token=lambda: next(tokens))
    for batch in range(3):
        send(transport, f"ok.{batch}")
    assert server.authorizations == {"Bearer old": 2, "Bearer new": 1}


def test_without_an_access_token_nothing_is_asked_or_sent(serve: Serve, connect: Connect) -> None:
    server = serve()

    def no_token() -> str:
        raise LookupError

    gate = RecordingGate()
    with pytest.raises(LookupError):
        connect(server, token=no_token).send([message("ok.1")], gate=gate)
    assert gate.started == 0
    assert server.connections == 0


def test_a_gate_that_closes_while_an_answer_is_awaited_still_gets_it(
    serve: Serve, connect: Connect
) -> None:
    gate = ClosingGate(after=1)
    bodies = [message("slow:30.1"), message("ok.1")]
    answers = connect(serve()).send(bodies, gate=gate)
    assert [answer and answer.status for answer in answers] == [200, None]


def test_a_gate_is_asked_on_while_answers_are_awaited(serve: Serve, connect: Connect) -> None:
    gate = CountingGate()
    connect(serve()).send([message("slow:1000.1")], gate=gate)
    assert gate.asked >= 5  # half a second apart would do: a lease is kept in there


def test_nothing_of_an_interrupted_batch_goes_out_later(serve: Serve, connect: Connect) -> None:
    server = serve(max_streams=2)
    transport = warmed(connect(server, connections=1))
    first = ["ok.first", *(f"slow:20.{index}" for index in range(30))]
    with pytest.raises(Interrupted):
        transport.send([message(token) for token in first], gate=InterruptingGate())
    read_by_then = server.read.copy()
    second = [f"slow:5.second-{index}" for index in range(20)]
    assert [answer.status for answer in send(transport, *second)] == [200] * 20
    later = server.read - read_by_then
    # What was on the wire at that moment may be read a little later; what waited may not.
    assert len([token for token in later if "second" not in token]) <= 2
    assert server.read.total() < len(first) + len(second)
    assert max(server.read.values()) == 1


def test_abandon_closes_the_connections(serve: Serve, connect: Connect) -> None:
    server = serve()
    transport = warmed(connect(server))
    transport.abandon()
    send(transport, "ok.1")
    assert server.connections == 2


def test_a_forked_process_may_not_use_its_parents_transport(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = connect(serve())
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(ForkedTransportError):
        send(transport, "ok.1")


def descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_a_closed_transport_leaves_no_descriptor_open(serve: Serve, connect: Connect) -> None:
    server = serve()
    before = descriptors()
    for _ in range(3):
        transport = warmed(connect(server))
        transport.abandon()
        transport.close()
    # The server's own ends close in its thread, a little later.
    deadline = time.monotonic() + 5
    while descriptors() > before and time.monotonic() < deadline:
        time.sleep(0.001)
    assert descriptors() == before
