"""Our own HTTP/2 server side, against the h2 library as an independent client, without sockets."""

from __future__ import annotations

import asyncio
import json
import struct
from collections import defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, cast

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest

from loadtests.fcm_emulator import frames
from loadtests.fcm_emulator.config import Config
from loadtests.fcm_emulator.exchange import Exchange
from loadtests.fcm_emulator.frames import Kind
from loadtests.fcm_emulator.http2_connection import Http2Connection
from loadtests.fcm_emulator.judge import Judge
from tests.loadtests.fcm_emulator.clients import message

CALM = Config(latency_ms=0, quota_per_minute=0)


class Pipe:
    """Stands in for the transport: what is written waits for the client to read."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.closed = self.aborted = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True


class Pair:
    """A client and the server's side of its connection."""

    def __init__(self, config: Config = CALM, *, max_streams: int = 100) -> None:
        self.judge = Judge(config)
        self.token = self.judge.access.issue(project=None, now=0, lifetime_s=1e12)
        self.pipe = Pipe()
        exchange = Exchange(self.judge, asyncio.get_running_loop(), token_uri="https://x/token")
        transport = cast("asyncio.Transport", self.pipe)
        self.server = Http2Connection(transport, exchange, max_streams=max_streams)
        self.client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.client.initiate_connection()
        self.preface_sent = False

    def request(
        self,
        stream: int,
        token: str = "",
        *,
        end: bool = True,
        headers: dict[str, str] | None = None,
    ) -> None:
        body = frames_body(token or f"e1.ok.{stream}")
        fields = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", "fcm.googleapis.com"),
            (":path", "/v1/projects/p/messages:send"),
            ("authorization", f"Bearer {self.token}"),
            *(headers or {}).items(),
        ]
        self.client.send_headers(stream, fields)
        self.client.send_data(stream, body, end_stream=end)

    def deliver(self) -> None:
        """Carry what the client wrote to the server."""
        data = self.client.data_to_send()
        if not self.preface_sent:
            data, self.preface_sent = data.removeprefix(frames.PREFACE), True
        self.server.data_received(data)

    def heard(self) -> list[Any]:
        """Carry what the server wrote to the client; return the client's events."""
        data = bytes(self.pipe.written)
        self.pipe.written.clear()
        events: list[Any] = self.client.receive_data(data)
        return events

    async def sent(self) -> dict[tuple[int, int], list[bytes]]:
        """Return what the server wrote, by kind and stream: h2 hears nothing after a GOAWAY."""
        self.deliver()
        await asyncio.sleep(0.01)
        data, found = bytes(self.pipe.written), defaultdict(list)
        while data:
            high, low, kind, _, stream = frames.HEAD.unpack_from(data)
            end = frames.HEAD_BYTES + (high << 8 | low)
            found[kind, stream].append(data[frames.HEAD_BYTES : end])
            data = data[end:]
        return found

    async def talk(self) -> list[Any]:
        """Carry everything both ways, until the answers that are due have come."""
        self.deliver()
        await asyncio.sleep(0.01)
        events = self.heard()
        self.deliver()
        return events + self.heard()


def frames_body(token: str) -> bytes:
    return json.dumps(message(token)).encode()


def in_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test in an event loop of its own."""

    def run() -> None:
        asyncio.run(test())

    run.__name__ = test.__name__
    return run


def of_type(events: list[Any], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


@in_loop
async def test_answers_each_stream_with_headers_and_body() -> None:
    pair = Pair()
    for stream in (1, 3, 5):
        pair.request(stream)

    events = await pair.talk()

    assert {e.stream_id for e in of_type(events, h2.events.StreamEnded)} == {1, 3, 5}
    (headers, *_) = of_type(events, h2.events.ResponseReceived)
    assert dict(headers.headers)[b":status"] == b"200"
    assert pair.judge.ledger.accepted == 3


@in_loop
async def test_announces_its_limit_of_streams_and_refuses_what_exceeds_it() -> None:
    pair = Pair(replace(CALM, latency_ms=20), max_streams=2)
    for stream in (1, 3, 5):
        pair.request(stream)

    events = await pair.talk()

    (changed,) = of_type(events, h2.events.RemoteSettingsChanged)
    limit = changed.changed_settings[h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS]
    (reset,) = of_type(events, h2.events.StreamReset)
    assert limit.new_value == 2
    assert (reset.stream_id, reset.error_code) == (5, 7)
    assert pair.judge.ledger.received == 2
    assert pair.judge.ledger.by_error["streams_over_limit"] == 1


@in_loop
async def test_goaway_names_the_last_stream_it_processed_and_still_answers_it() -> None:
    pair = Pair()
    pair.request(1)
    pair.request(3, "e1.goaway.a")
    pair.request(5)

    sent = await pair.sent()

    assert struct.pack(">LL", 1, 0) in sent[Kind.GOAWAY, 0]
    assert (Kind.HEADERS, 1) in sent
    assert not {(kind, stream) for kind, stream in sent if stream > 1}
    assert pair.judge.ledger.accepted == 1


@in_loop
async def test_goaway_never_disowns_what_was_accepted() -> None:
    pair = Pair()
    pair.request(1, "e1.goaway.a", end=False)
    pair.request(3)
    pair.client.send_data(1, b"", end_stream=True)

    sent = await pair.sent()

    assert struct.pack(">LL", 3, 0) in sent[Kind.GOAWAY, 0]
    assert struct.pack(">L", frames.ErrorCode.REFUSED_STREAM) in sent[Kind.RST_STREAM, 1]
    assert pair.judge.ledger.projects["p"].count_of("e1.ok.3") == 1


@in_loop
async def test_keeps_to_the_windows_of_the_client() -> None:
    pair = Pair()
    pair.client.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 10})
    pair.request(1)

    events = await pair.talk()

    assert sum(len(e.data) for e in of_type(events, h2.events.DataReceived)) == 10
    assert not of_type(events, h2.events.StreamEnded)
    pair.client.increment_flow_control_window(1_000, stream_id=1)
    events = await pair.talk()
    assert of_type(events, h2.events.StreamEnded)


@in_loop
async def test_a_long_answer_comes_in_frames_that_any_client_takes() -> None:
    pair = Pair()
    pair.client.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1 << 21})
    pair.client.increment_flow_control_window(1 << 21)
    pair.request(1, "e1.odd_huge.1")

    events = await pair.talk()

    pieces = [event.data for event in of_type(events, h2.events.DataReceived)]
    assert max(map(len, pieces)) == 16_384
    assert len(json.loads(b"".join(pieces))["error"]["message"]) == pytest.approx(1 << 20, abs=11)
    assert len(of_type(events, h2.events.StreamEnded)) == 1


@in_loop
async def test_goes_on_for_longer_than_the_connection_window_lasts() -> None:
    pair = Pair()
    answered = 0
    for stream in range(1, 2_001, 2):
        pair.request(stream)
        if stream % 100 == 99:
            events = await pair.talk()
            answered += len(of_type(events, h2.events.StreamEnded))
            for event in of_type(events, h2.events.DataReceived):
                pair.client.acknowledge_received_data(event.flow_controlled_length, event.stream_id)

    assert answered == 1_000


@in_loop
async def test_reads_frames_cut_anywhere_and_headers_in_pieces() -> None:
    pair = Pair()
    pair.request(1, headers={"x-long": "v" * 20_000})
    data = pair.client.data_to_send().removeprefix(frames.PREFACE)
    pair.preface_sent = True

    for cut in range(0, len(data), 7):
        pair.server.data_received(data[cut : cut + 7])
    events = await pair.talk()

    assert of_type(events, h2.events.StreamEnded)


@in_loop
async def test_headers_that_change_the_table_do_not_confuse_those_remembered() -> None:
    pair = Pair()
    good = pair.token
    for stream, token in ((1, good), (3, good), (5, "worthless"), (7, good), (9, good)):
        pair.token = token
        pair.request(stream)

    events = await pair.talk()

    statuses = {
        e.stream_id: dict(e.headers)[b":status"]
        for e in of_type(events, h2.events.ResponseReceived)
    }
    assert statuses == {1: b"200", 3: b"200", 5: b"401", 7: b"200", 9: b"200"}


@in_loop
async def test_a_stream_that_the_client_gave_up_on_is_not_answered() -> None:
    pair = Pair(replace(CALM, latency_ms=5))
    pair.request(1)
    pair.deliver()
    pair.client.reset_stream(1)
    pair.deliver()
    await asyncio.sleep(0.02)

    assert not of_type(pair.heard(), h2.events.ResponseReceived)
    assert pair.judge.ledger.projects["p"].unanswered


@in_loop
async def test_answers_pings() -> None:
    pair = Pair()
    pair.client.ping(b"12345678")

    events = await pair.talk()

    assert of_type(events, h2.events.PingAckReceived)


@pytest.mark.parametrize(
    "wrong",
    [
        frames.frame(frames.Kind.HEADERS, 0x5, 2, b"\x82"),
        frames.frame(frames.Kind.HEADERS, 0x5, 1, b"\xff\xff\xff"),
        frames.frame(frames.Kind.CONTINUATION, 0x4, 1, b""),
        frames.frame(frames.Kind.WINDOW_UPDATE, 0, 0, b"\0"),
        frames.frame(frames.Kind.DATA, 0, 1, b"x" * 16_385),
        frames.frame(frames.Kind.HEADERS, 0, 1, b"") + frames.frame(frames.Kind.PING, 0, 0, b""),
    ],
)
def test_ends_the_connection_when_the_protocol_is_broken(wrong: bytes) -> None:
    async def run() -> None:
        pair = Pair()
        pair.deliver()
        pair.server.data_received(wrong)

        assert of_type(pair.heard(), h2.events.ConnectionTerminated)
        assert pair.pipe.closed

    asyncio.run(run())
