from __future__ import annotations

import contextlib

import pytest
from h2.settings import SettingCodes
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from hypothesis import given
from hypothesis import strategies as st

from pushcore.transports.base import MAX_BODY_BYTES, Answer, Fault
from pushcore.transports.http2.connection import Connection
from pushcore.transports.http2.frames import WireError
from pushcore.transports.http2.headers import RequestHeads
from tests.pushcore.transports.http2.peer import FIELDS, Peer

OK = b"\x88"  # `:status: 200` of the static table
EARLY_HINTS = b"\x08\x03103"


def from_server(*frames: Frame) -> bytes:
    return b"".join(frame.serialize() for frame in frames)


def started(count: int, *, body: bytes = b"{}") -> Peer:
    """Have so many messages with the server, unanswered."""
    peer = Peer()
    for place in range(count):
        peer.client.start(place, body, now=float(place))
    peer.exchange()
    return peer


def test_nothing_is_started_before_the_server_has_said_its_limits() -> None:
    client = Connection(
        RequestHeads(is_secure=True, fields=FIELDS), max_streams=100, answered=lambda _: None
    )
    assert client.room == 0
    client.receive(from_server(SettingsFrame(0)))
    assert client.room == 100


def test_a_request_arrives_as_it_was_meant() -> None:
    peer = started(2, body=b'{"message": {}}')
    expected = {":method": "POST", ":scheme": "https", **FIELDS, "content-length": "15"}
    assert peer.heads == {1: expected, 3: expected}
    assert peer.bodies == {1: b'{"message": {}}', 3: b'{"message": {}}'}
    assert peer.ended == {1, 3}


def test_a_new_token_is_in_all_later_heads() -> None:
    peer = started(2)
    peer.client.authorize(FIELDS | {"authorization": "Bearer new"})
    for place in (2, 3):
        peer.client.start(place, b"{}", now=0.0)
    peer.exchange()
    said = [head["authorization"] for head in peer.heads.values()]
    assert said == ["Bearer secret", "Bearer secret", "Bearer new", "Bearer new"]


def test_answers_belong_to_their_messages_in_whatever_order_they_come() -> None:
    peer = started(3)
    for stream, status in ((5, 404), (1, 200), (3, 503)):
        peer.respond(stream, status, body=b"%d" % stream)
    peer.exchange()
    assert peer.answers == {2: Answer(404, b"5"), 0: Answer(200, b"1"), 1: Answer(503, b"3")}


@given(st.lists(st.integers(1, 40), max_size=60))
def test_it_does_not_matter_where_the_network_cuts(cuts: list[int]) -> None:
    peer = started(3)
    for stream in (1, 3, 5):
        peer.respond(stream, body=b'{"name": "%d"}' % stream)
    said = peer.server.data_to_send()
    for size in cuts:
        peer.client.receive(said[:size])
        said = said[size:]
    peer.client.receive(said)
    assert [answer.body for _, answer in peer.answered] == [
        b'{"name": "1"}',
        b'{"name": "3"}',
        b'{"name": "5"}',
    ]


def test_a_head_in_pieces_padding_hints_and_trailers_change_nothing() -> None:
    peer = started(1)
    trailer = b"\x00\x04done\x03yes"
    peer.client.receive(
        from_server(
            HeadersFrame(1, EARLY_HINTS, flags=["END_HEADERS"]),
            HeadersFrame(1, OK, flags=["PADDED", "PRIORITY"], pad_length=3),
            ContinuationFrame(1, b"\x00\x01a\x01b", flags=["END_HEADERS"]),
            DataFrame(1, b"whole", flags=["PADDED"], pad_length=9),
            HeadersFrame(1, trailer, flags=["END_HEADERS", "END_STREAM"]),
        )
    )
    assert peer.answers == {0: Answer(200, b"whole")}


def test_a_reset_after_the_whole_answer_changes_nothing() -> None:
    peer = started(1)
    peer.respond(1)
    peer.exchange()
    peer.client.receive(from_server(RstStreamFrame(1)))
    assert peer.answers == {0: Answer(200, b"{}")}


def test_an_endless_body_is_cut_and_its_stream_cancelled() -> None:
    peer = started(2)
    peer.server.send_headers(1, [(":status", "500")])
    for _ in range(2):
        peer.server.send_data(1, b"x" * 12_000)
    peer.respond(3)
    peer.exchange()
    assert peer.answers == {0: Answer(500, b"x" * MAX_BODY_BYTES), 1: Answer(200, b"{}")}
    assert peer.reset == {1}


def test_the_servers_window_is_replenished() -> None:
    peer = started(0)
    for place in range(80):
        peer.client.start(place, b"{}", now=0.0)
        peer.exchange()
        stream = 2 * place + 1
        peer.server.send_headers(stream, [(":status", "200")])
        for _ in range(3):
            if stream not in peer.reset:
                peer.server.send_data(stream, b"x" * 16_000)
                peer.exchange()
    assert [answer.status for answer in peer.answers.values()] == [200] * 80


@pytest.mark.parametrize("window", [0, 1, 7, 100_000])
def test_a_body_waits_for_the_servers_windows_and_arrives_whole(window: int) -> None:
    peer = Peer(settings={SettingCodes.INITIAL_WINDOW_SIZE: window})
    bodies = [bytes([65 + place]) * 30_000 for place in range(4)]
    for place, body in enumerate(bodies):
        peer.client.start(place, body, now=0.0)
    peer.exchange()
    assert sum(map(len, peer.bodies.values())) == min(4 * window, 65_535)
    for stream in (7, 5, 3, 1):
        peer.server.increment_flow_control_window(30_000, stream)
        peer.server.increment_flow_control_window(30_000)
        peer.exchange()
    assert list(peer.bodies.values()) == bodies
    assert peer.ended == {1, 3, 5, 7}


def test_a_window_that_is_made_larger_lets_more_through() -> None:
    peer = Peer(settings={SettingCodes.INITIAL_WINDOW_SIZE: 10})
    peer.client.start(0, b"x" * 100, now=0.0)
    peer.exchange()
    assert peer.bodies[1] == b"x" * 10
    peer.server.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1_000})
    peer.exchange()
    assert peer.bodies[1] == b"x" * 100


@pytest.mark.parametrize("size", [0, 60, 1_000, 100_000])
def test_a_server_may_have_another_table_than_most(size: int) -> None:
    peer = Peer(settings={SettingCodes.HEADER_TABLE_SIZE: size})
    for place in range(3):
        peer.client.start(place, b"{}", now=0.0)
    peer.exchange()
    peer.server.update_settings({SettingCodes.HEADER_TABLE_SIZE: 300})
    peer.exchange()
    for place in (3, 4):
        peer.client.start(place, b"{}", now=0.0)
    peer.exchange()
    assert [head["authorization"] for head in peer.heads.values()] == ["Bearer secret"] * 5


def test_a_lower_limit_of_streams_is_kept_and_may_rise_again() -> None:
    peer = Peer(settings={SettingCodes.MAX_CONCURRENT_STREAMS: 2})
    assert peer.client.room == 2
    peer.client.start(0, b"{}", now=0.0)
    assert peer.client.room == 1
    peer.server.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 500})
    peer.exchange()
    assert peer.client.room == 99


def test_a_ping_is_answered() -> None:
    peer = Peer()
    peer.server.ping(b"are you?")
    peer.exchange()
    assert peer.pings == 1


def test_a_lost_connection_tells_what_was_written_from_what_was_not() -> None:
    peer = Peer()
    for place in range(10):
        peer.client.start(place, b"x" * 200, now=0.0)
    written = peer.take(1_000)
    events = peer.server.receive_data(written)
    for event in events:
        peer._note(event)
    peer.client.lose()
    whole = len(peer.ended)
    assert 0 < whole < 10
    faults = [answer.fault for _, answer in peer.answered]
    assert faults == [Fault.BROKEN] * whole + [Fault.NEVER_SENT] * (10 - whole)


def test_what_a_goaway_disowns_was_never_sent_and_the_rest_is_awaited() -> None:
    peer = started(4)
    peer.client.receive(from_server(GoAwayFrame(0, last_stream_id=3)))
    never = Answer(0, fault=Fault.NEVER_SENT)
    assert peer.answers == {2: never, 3: never}
    assert peer.client.is_leaving
    assert peer.client.room == 0
    peer.respond(1)
    peer.respond(3)
    peer.exchange()
    assert [answer.status for answer in peer.answers.values()] == [0, 0, 200, 200]


def test_a_refusal_after_the_head_of_an_answer_is_not_believed() -> None:
    peer = started(1)
    head = HeadersFrame(1, b"\x08\x03404", flags=["END_HEADERS"])
    refused = RstStreamFrame(1, error_code=7)
    peer.client.receive(from_server(head, refused))
    assert peer.answers == {0: Answer(0, fault=Fault.BROKEN)}


def test_what_is_too_old_is_given_up_alone_and_cancelled() -> None:
    peer = started(3)
    peer.client.expire(1.0, heard_at=2.5)
    timeout = Answer(0, fault=Fault.TIMEOUT)
    assert peer.answers == {0: timeout, 1: timeout}
    assert not peer.client.is_leaving
    peer.exchange()
    assert peer.reset == {1, 3}
    peer.respond(5)
    peer.exchange()
    assert peer.answers[2] == Answer(200, b"{}")


def test_a_connection_that_said_nothing_for_so_long_gets_no_more() -> None:
    peer = started(2)
    peer.client.expire(0.5, heard_at=0.0)
    assert peer.client.is_leaving


def test_an_answer_to_what_was_given_up_is_ignored() -> None:
    peer = started(1)
    peer.client.expire(1.0, heard_at=2.0)
    peer.client.receive(
        from_server(
            HeadersFrame(1, OK, flags=["END_HEADERS"]), DataFrame(1, b"{}", flags=["END_STREAM"])
        )
    )
    assert peer.answers == {0: Answer(0, fault=Fault.TIMEOUT)}


def test_what_a_window_held_back_until_its_end_was_never_sent_and_never_is() -> None:
    peer = Peer(settings={SettingCodes.INITIAL_WINDOW_SIZE: 10})
    peer.client.start(0, b"x" * 100, now=0.0)
    peer.exchange()
    peer.client.expire(1.0, heard_at=2.0)
    assert peer.answers == {0: Answer(0, fault=Fault.NEVER_SENT)}
    peer.exchange()
    assert peer.reset == {1}
    assert peer.bodies[1] == b"x" * 10


def test_what_the_socket_would_not_take_in_time_ends_the_connection() -> None:
    peer = Peer()
    peer.client.start(0, b"x" * 100, now=0.0)
    with pytest.raises(WireError):
        peer.client.expire(1.0, heard_at=2.0)
    peer.client.lose()
    assert peer.answers == {0: Answer(0, fault=Fault.NEVER_SENT)}


def test_a_connection_without_streams_left_gets_no_more() -> None:
    peer = Peer()
    peer.client._next_stream = (1 << 31) - 1
    peer.client.start(0, b"{}", now=0.0)
    assert peer.client.is_leaving
    assert peer.client.open_streams == 1


@pytest.mark.parametrize(
    "said",
    [
        HeadersFrame(1, b"\xbe", flags=["END_HEADERS"]),  # an entry of a table that is not kept
        HeadersFrame(1, b"\x3f\xe1\x1f", flags=["END_HEADERS"]),  # a table of 4,096 bytes
        HeadersFrame(1, b"\x08\x02no", flags=["END_HEADERS"]),
        ContinuationFrame(1, OK, flags=["END_HEADERS"]),
        PushPromiseFrame(1, 2, b"", flags=["END_HEADERS"]),
        WindowUpdateFrame(0, 0x7FFFFFFF),
    ],
    ids=lambda frame: type(frame).__name__,
)
def test_what_breaks_the_protocol_ends_the_connection(said: Frame) -> None:
    peer = started(1)
    with pytest.raises(WireError):
        peer.client.receive(from_server(said))
    peer.client.lose()
    assert peer.answers == {0: Answer(0, fault=Fault.BROKEN)}


@pytest.mark.parametrize(
    "said",
    [
        b"\x00\x00\x05\x04\x00\x00\x00\x00\x00abcde",  # settings of five bytes
        b"\x00\x00\x03\x03\x00\x00\x00\x00\x01abc",  # a reset of three
        b"\x00\x00\x03\x08\x00\x00\x00\x00\x00abc",  # a window update of three
        b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00",  # one of nothing
        b"\x00\x00\x03\x07\x00\x00\x00\x00\x00abc",  # a goodbye of three
        b"\x00\x40\x01\x00\x00\x00\x00\x00\x01",  # a frame of 16,385
        b"\x00\x00\x01\x00\x08\x00\x00\x00\x01\x05",  # more padding than payload
    ],
)
def test_malformed_frames_end_the_connection(said: bytes) -> None:
    with pytest.raises(WireError):
        started(1).client.receive(said)


def test_frames_in_the_middle_of_a_head_end_the_connection() -> None:
    peer = started(1)
    with pytest.raises(WireError):
        peer.client.receive(from_server(HeadersFrame(1, OK), PingFrame(0, b"12345678")))


def test_an_endless_head_ends_the_connection() -> None:
    peer = started(1)
    more = [ContinuationFrame(1, b"\x00" * 16_000) for _ in range(5)]
    with pytest.raises(WireError):
        peer.client.receive(from_server(HeadersFrame(1, OK), *more))


@given(st.binary(max_size=300))
def test_whatever_is_said_each_message_ends_once(said: bytes) -> None:
    peer = started(3)
    with contextlib.suppress(WireError):
        peer.client.receive(said)
    peer.client.lose()
    assert sorted(place for place, _ in peer.answered) == [0, 1, 2]
    assert peer.client.open_streams == 0
