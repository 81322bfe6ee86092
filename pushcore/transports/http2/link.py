"""A connection and its socket: opened step by step, read and written as far as they go."""

from __future__ import annotations

import logging
import selectors
import socket
import ssl
from typing import Final

from pushcore.transports.http2.connection import Connection
from pushcore.transports.http2.frames import WireError
from pushcore.transports.http2.opening import Awaited, Steps

_READ_BYTES: Final = 262_144
_RECORD_BYTES: Final = 16_384
"""One record of TLS (RFC 8446 §5.1), written whole or not at all. Given more, OpenSSL may put some
records on the wire and then say that it took nothing: what the server has would count as unsent."""
_NOT_NOW: Final = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError)
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
logger = logging.getLogger(__name__)


class Link:
    """Moves one connection's bytes; belongs to one selector. Times are the caller's clock's."""

    def __init__(
        self,
        steps: Steps,
        connection: Connection,
        *,
        selector: selectors.BaseSelector,
        now: float,
    ) -> None:
        self.connection = connection
        self.opened_at = self.heard_at = now
        """When it was begun, and when the server last said something."""
        self.is_lost = False
        self._steps: Steps | None = steps
        self._selector = selector
        self._socket: socket.socket | None = None
        self._watched: socket.socket | None = None
        self._events = 0
        self._advance(now)

    @property
    def is_opening(self) -> bool:
        """Whether nothing can be sent yet, and nobody knows whether it ever can."""
        return not self.is_lost and not self.connection.is_greeted

    @property
    def is_asked_again(self) -> bool:
        """Whether it waits for what no socket tells of: `on_ready` is to be called now and then."""
        return self._steps is not None and self._watched is None

    def on_ready(self, events: int, *, now: float) -> None:
        """Go on, as the socket is ready for `events` of the selector's."""
        if self._steps is not None:
            self._advance(now)
        elif events & _READ:
            self._read(now)

    def flush(self) -> None:
        """Write what the connection has to say, as far as the socket takes it."""
        if self._socket is None or self.is_lost:
            return
        output = self.connection.output
        try:
            while chunk := output.unsent():
                output.sent(self._socket.send(chunk[:_RECORD_BYTES]))
        except _NOT_NOW:
            self._watch(self._socket, _READ | _WRITE)
        except OSError as failure:
            self.lose(failure)
        else:
            self._watch(self._socket, _READ)

    def expire(self, started_before: float) -> None:
        """Give up the messages that were started before that moment."""
        try:
            self.connection.expire(started_before, heard_at=self.heard_at)
        except WireError as failure:
            self.lose(failure)

    def lose(self, failure: Exception | None = None) -> None:
        """Close the socket; what was under way ends as the connection knows."""
        if not self.is_lost:
            self.close()
            if failure is not None:
                logger.info("A connection to the provider ended: %s", failure)
            self.connection.lose()

    def close(self) -> None:
        """Close the socket, and say nothing of what was under way."""
        self.is_lost = True
        self._watch(None, 0)
        if self._steps is not None:
            self._steps.close()
            self._steps = None
        if self._socket is not None:
            self._socket.close()

    def _advance(self, now: float) -> None:
        """Take the next step of the opening."""
        assert self._steps is not None  # noqa: S101  for the type checker
        try:
            awaited = next(self._steps)
        except StopIteration as made:
            self._steps, self._socket, self.heard_at = None, made.value, now
            self._watch(None, 0)
            self.flush()
        except OSError as failure:
            self.lose(failure)
        else:
            self._await(awaited)

    def _await(self, awaited: Awaited) -> None:
        # Watched anew each time: a descriptor may be another socket's than a moment ago.
        self._watch(None, 0)
        self._watch(awaited.socket, awaited.events)

    def _read(self, now: float) -> None:
        assert self._socket is not None  # noqa: S101  for the type checker
        try:
            while data := self._socket.recv(_READ_BYTES):
                self.heard_at = now
                self.connection.receive(data)
        except _NOT_NOW:
            return
        except (OSError, WireError) as failure:
            self.lose(failure)
        else:
            self.lose(ConnectionError("the server hung up"))

    def _watch(self, sock: socket.socket | None, events: int) -> None:
        """Have the selector watch this socket, or none."""
        if sock is self._watched and events == self._events:
            return
        if self._watched is not None:
            self._selector.unregister(self._watched)
        if sock is not None:
            self._selector.register(sock, events, self)
        self._watched, self._events = sock, events
