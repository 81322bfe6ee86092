"""The connections to one server, and the messages that wait for a place on one of them."""

from __future__ import annotations

import selectors
import time
from collections import deque
from typing import Final, NamedTuple

from pushcore.transports.base import Answer, Fault
from pushcore.transports.gated_loop import Answered
from pushcore.transports.http2.connection import Connection
from pushcore.transports.http2.headers import RequestHeads
from pushcore.transports.http2.link import Link
from pushcore.transports.http2.opening import Endpoint, opening

LOOKING_UP_S: Final = 0.005
"""The longest sleep while a name is looked up, of which no socket tells."""
MAX_IDLE_S: Final = 60.0
"""A connection on which nothing was heard for longer gets no message: whatever stands between may
have forgotten it without a word."""
REOPEN_AFTER_S: Final = 1.0
"""After a connection that could not be made, while there are others."""
_NEVER_SENT: Final = Answer(0, fault=Fault.NEVER_SENT)


class _Waiting(NamedTuple):
    place: int
    body: bytes
    since: float


class Pool:
    """At most `connections` to `endpoint`, each with at most `max_streams` messages at a time.

    A connection is opened when messages find no place on the others. `timeout_s` is for a message
    to find a place, and again for its answer. Moments are those of `time.monotonic`.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        connections: int,
        max_streams: int,
        timeout_s: float,
        connect_timeout_s: float,
    ) -> None:
        self._endpoint = endpoint
        self._connections = connections
        self._max_streams = max_streams
        self._timeout_s = timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._fields: dict[str, str] = {}
        self._selector = selectors.DefaultSelector()
        self._links: list[Link] = []
        self._waiting: deque[_Waiting] = deque()
        self._answered: list[Answered] = []
        self._open_from = 0.0

    def authorize(self, fields: dict[str, str]) -> None:
        """Have all messages from now on carry these fields in their heads."""
        if fields != self._fields:
            self._fields = fields
            for link in self._links:
                link.connection.authorize(fields)

    def submit(self, place: int, body: bytes, *, now: float) -> None:
        """Send a message as soon as it finds room; `place` names it in what `step` returns."""
        self._waiting.append(_Waiting(place, body, now))

    def look(self) -> None:
        """Take notice of what servers did while nobody looked, before anything is sent to them."""
        now = time.monotonic()
        for link in self._links:
            if now - link.heard_at > MAX_IDLE_S:
                link.lose()
        self._move(0.0)

    def step(self, wait_s: float) -> list[Answered]:
        """Write, wait at most `wait_s` seconds, read; return the answers since the last step."""
        now = time.monotonic()
        self._expire(now)
        self._place(now)
        for link in self._links:
            link.flush()
        self._move(0.0 if self._answered else wait_s)
        answered = self._answered[:]
        self._answered.clear()
        return answered

    def close(self) -> None:
        """Throw everything away that is waiting or under way, and all connections."""
        self._waiting.clear()
        self._answered.clear()
        for link in self._links:
            link.close()
        self._selector.close()

    def _expire(self, now: float) -> None:
        started_before = now - self._timeout_s
        while self._waiting and self._waiting[0].since <= started_before:
            self._answered.append((self._waiting.popleft().place, _NEVER_SENT))
        for link in self._links:
            link.expire(started_before)
            if link.is_opening and now - link.opened_at > self._connect_timeout_s:
                link.lose(TimeoutError("not reached in time"))
        self._clear_away(now)

    def _place(self, now: float) -> None:
        """Start what finds a place; open connections for what does not."""
        waiting = self._waiting
        for link in self._links:
            connection = link.connection
            for _ in range(min(len(waiting), connection.room)):
                place, body, _since = waiting.popleft()
                connection.start(place, body, now=now)
        if waiting and (now >= self._open_from or not self._links):
            self._open(-(-len(waiting) // self._max_streams), now)

    def _open(self, wanted: int, now: float) -> None:
        wanted -= sum(link.is_opening for link in self._links)
        usable = sum(not link.connection.is_leaving for link in self._links)
        for _ in range(min(wanted, self._connections - usable)):
            heads = RequestHeads(is_secure=self._endpoint.tls is not None, fields=self._fields)
            connection = Connection(
                heads, max_streams=self._max_streams, answered=self._answered.append
            )
            self._links.append(
                Link(opening(self._endpoint), connection, selector=self._selector, now=now)
            )
        self._clear_away(now)

    def _move(self, wait_s: float) -> None:
        """Wait for sockets, and go on with those that are ready."""
        asked = [link for link in self._links if link.is_asked_again]
        ready = self._selector.select(min(wait_s, LOOKING_UP_S) if asked else wait_s)
        now = time.monotonic()
        for key, events in ready:
            key.data.on_ready(events, now=now)
        for link in asked:
            link.on_ready(0, now=now)
        self._clear_away(now)

    def _clear_away(self, now: float) -> None:
        """Forget the connections that ended; without any, nothing that waits can be sent."""
        for link in self._links:
            if link.connection.is_leaving and not link.connection.open_streams:
                link.close()
        lost = [link for link in self._links if link.is_lost]
        if not lost:
            return
        self._links = [link for link in self._links if not link.is_lost]
        if not all(link.connection.is_greeted for link in lost):
            self._open_from = now + REOPEN_AFTER_S
            if not self._links:
                self._answered += [(one.place, _NEVER_SENT) for one in self._waiting]
                self._waiting.clear()
