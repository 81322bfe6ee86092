"""A server made of bytes, by a library that is not ours: what it makes of what we write."""

from __future__ import annotations

import h2.config
import h2.connection
import h2.events
from h2.settings import SettingCodes

from pushcore.transports.base import Answer
from pushcore.transports.gated_loop import Answered
from pushcore.transports.http2.connection import Connection
from pushcore.transports.http2.headers import RequestHeads

FIELDS = {
    ":path": "/v1/projects/demo/messages:send",
    ":authority": "fcm.example",
    "authorization": "Bearer secret",
    "content-type": "application/json",
    "user-agent": "pushcore",
}


class Peer:
    """Our connection and a server's, with the bytes between them in hand."""

    def __init__(self, *, settings: dict[SettingCodes, int] | None = None) -> None:
        self.answered: list[Answered] = []
        self.client = Connection(
            RequestHeads(is_secure=True, fields=FIELDS),
            max_streams=100,
            answered=self.answered.append,
        )
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self.server = h2.connection.H2Connection(config)
        self.server.initiate_connection()
        self.server.update_settings({int(name): value for name, value in (settings or {}).items()})
        self.heads: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytes] = {}
        self.ended: set[int] = set()
        self.reset: set[int] = set()
        self.pings = 0
        self.exchange()

    @property
    def answers(self) -> dict[int, Answer]:
        """What became of each message, by the place it was started as."""
        return dict(self.answered)

    def exchange(self) -> None:
        """Carry bytes both ways until both sides have said all."""
        is_quiet = False
        while not is_quiet:
            written = self.take()
            for event in self.server.receive_data(written):
                self._note(event)
            said = self.server.data_to_send()
            self.client.receive(said)
            is_quiet = not written and not said

    def take(self, most: int | None = None) -> bytes:
        """Take what our side writes, as a socket that takes so many bytes at most."""
        taken = b""
        while chunk := self.client.output.unsent():
            piece = bytes(chunk if most is None else chunk[: most - len(taken)])
            if not piece:
                break
            self.client.output.sent(len(piece))
            taken += piece
        return taken

    def respond(self, stream: int, status: int = 200, body: bytes = b"{}") -> None:
        """Answer a request."""
        self.server.send_headers(stream, [(":status", str(status))])
        self.server.send_data(stream, body, end_stream=True)

    def _note(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            assert event.stream_id is not None
            assert event.headers is not None
            self.heads[event.stream_id] = {str(name): str(value) for name, value in event.headers}
            self.bodies[event.stream_id] = b""
        elif isinstance(event, h2.events.DataReceived):
            assert event.stream_id is not None
            self.bodies[event.stream_id] += event.data or b""
        elif isinstance(event, h2.events.StreamEnded):
            assert event.stream_id is not None
            self.ended.add(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            assert event.stream_id is not None
            self.reset.add(event.stream_id)
        elif isinstance(event, h2.events.PingAckReceived):
            self.pings += 1
