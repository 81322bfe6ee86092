"""What both HTTP/2 transports make of answers, tokens, connections and interruptions."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import certifi
import pytest

from pushcore.outcomes import judge
from pushcore.retry_after import parse_retry_after_s
from pushcore.transports.base import MAX_BODY_BYTES, Answer, Fault, ForkedTransportError
from pushcore.transports.curl import UNREAD, CurlTransport
from tests.pushcore.transports.clients import Connect, HttpTransport, Serve, faults, send, warmed
from tests.pushcore.transports.gates import (
    ClosingGate,
    CountingGate,
    Interrupted,
    InterruptingGate,
    RecordingGate,
)
from tests.pushcore.transports.wire import message


def test_one_answer_of_sixteen_is_timed_whatever_the_size_of_batches(
    serve: Serve, connect: Connect
) -> None:
    transport = connect(serve())

    batches = [send(transport, *(f"slow:20.{number}.{n}" for n in range(10))) for number in (1, 2)]

    timed = [answer.seconds for batch in batches for answer in batch if answer.seconds]
    assert len(timed) == 1
    assert 0.02 <= timed[0] < 5


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


@pytest.mark.parametrize("announced", ["", "1"])
def test_a_huge_body_is_cut_or_left_unread_and_the_status_stays(
    serve: Serve, connect: Connect, kind: type[HttpTransport], announced: str
) -> None:
    (huge, fine) = send(connect(serve()), f"huge:{announced}.1", "ok.1")
    kept = UNREAD if announced and kind is CurlTransport else b"x" * MAX_BODY_BYTES
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


def test_retry_after_may_be_a_date(serve: Serve, connect: Connect) -> None:
    now = int(time.time())
    soon = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now + 60))
    (answer,) = send(connect(serve()), f"later:{soon}.1")
    assert answer.retry_after is not None
    wait_s = parse_retry_after_s(answer.retry_after, now=now)
    assert wait_s is not None
    assert 55 <= wait_s <= 60


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


@pytest.mark.parametrize("how", ["closed", "forgotten"])
def test_a_transport_leaves_no_descriptor_open(
    serve: Serve, kind: type[HttpTransport], how: str
) -> None:
    server = serve(secure=False)
    before = descriptors()
    for _ in range(3):
        transport = kind(endpoint=server.endpoint, project_id="demo", access_token=lambda: "secret")
        warmed(transport)
        if how == "closed":
            transport.abandon()
            transport.close()
        del transport
    # The server's own ends close in its thread, a little later.
    deadline = time.monotonic() + 5
    while descriptors() > before and time.monotonic() < deadline:
        time.sleep(0.001)
    assert descriptors() == before
