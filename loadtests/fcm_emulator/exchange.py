"""Between the connections of our own wire and the judge: rulings, and answers when they are due."""

from __future__ import annotations

import asyncio
from typing import NamedTuple, Protocol

from loadtests.fcm_emulator.judge import Judge, Ruling
from loadtests.fcm_emulator.routes import NOT_FOUND, is_token_request, project_of


class Head(NamedTuple):
    """What a request's headers say, as far as it matters."""

    project: str | None
    """The project that it sends for; None if it is no request to send."""
    is_token: bool
    """Whether it asks for an access token."""
    authorization: str | None


class Connection(Protocol):
    """What is answered: a stream each over HTTP/2, one request at a time over HTTP/1.1."""

    def answer(self, stream: int, ruling: Ruling) -> bool:
        """Put an answer or fault into the connection's output; False if the stream is gone."""
        ...

    def flush(self) -> None:
        """Write the output so far."""
        ...


def head_of(method: str, path: str, authorization: str | None) -> Head:
    """Return the head of a request."""
    return Head(project_of(method, path), is_token_request(method, path), authorization)


class Exchange:
    """Asks the judge, and answers by the millisecond: one timer for all that fall due in one."""

    def __init__(self, judge: Judge, loop: asyncio.AbstractEventLoop, *, token_uri: str) -> None:
        self.judge = judge
        self.loop = loop
        self._time = loop.time
        self._token_uri = token_uri
        self._due: dict[int, list[tuple[Connection, int, Ruling]]] = {}

    def decide(self, head: Head, body: bytes) -> Ruling:
        """Return the ruling on a request."""
        project, is_token, authorization = head
        if project is not None:
            return self.judge.send(project, authorization, body)
        if is_token:
            return self.judge.token(body, audience=self._token_uri)
        return NOT_FOUND

    def answer_later(self, connection: Connection, stream: int, ruling: Ruling) -> None:
        """Have the ruling answered after at least its delay."""
        tick = int(self._time() * 1_000 + ruling.delay_ms) + 1
        due = self._due.get(tick)
        if due is None:
            due = self._due[tick] = []
            self.loop.call_at(tick / 1_000, self._answer_due, tick)
        due.append((connection, stream, ruling))

    def _answer_due(self, tick: int) -> None:
        touched = set()
        for connection, stream, ruling in self._due.pop(tick):
            if not connection.answer(stream, ruling):
                self.judge.undelivered(ruling)
            touched.add(connection)
        for connection in touched:
            connection.flush()
