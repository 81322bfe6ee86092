"""A batch of messages over the pool of connections to one FCM project, as its gate lets them start.

Nothing here needs a thread or an event loop. Connections live from batch to batch.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import certifi

from pushcore.transports.base import Answer, ForkedTransportError, Gate
from pushcore.transports.http2.opening import endpoint_of
from pushcore.transports.http2.pool import Pool

MAX_WAIT_S: Final = 0.05
"""The longest sleep: how soon a gate that closed while all was quiet is noticed."""
TIME_EVERY: Final = 16
"""Every so manieth answer is timed: a sample says as much as all, for a sixteenth of the cost."""


class Http2Transport:
    """Sends messages of one FCM project over HTTP/2 (a `Transport`).

    `endpoint` is scheme, host and port, such as `https://fcm.googleapis.com`; with `http`, HTTP/2
    is spoken without TLS and without negotiation. `access_token` is asked once for each `send`.
    `ca_file` is the PEM bundle of the authorities to trust, None for certifi's.

    At most `connections`, with at most `max_streams` messages at a time on each (FCM allows 100)
    and `in_flight` on all. `timeout_s` is for a message to find a place on a connection, and again
    from its start to the end of its answer (Google asks for 10 s at least); `connect_timeout_s` is
    for a connection to be made.
    """

    def __init__(
        self,
        *,
        endpoint: str,
        project_id: str,
        access_token: Callable[[], str],
        ca_file: str | None = None,
        connections: int = 5,
        max_streams: int = 100,
        in_flight: int = 500,
        timeout_s: float = 15.0,
        connect_timeout_s: float = 5.0,
    ) -> None:
        server = endpoint_of(endpoint, ca_file=ca_file or certifi.where())
        self._new_pool = partial(
            Pool,
            server,
            connections=connections,
            max_streams=max_streams,
            timeout_s=timeout_s,
            connect_timeout_s=connect_timeout_s,
        )
        self._pool = self._new_pool()
        self._authority = urlsplit(endpoint).netloc
        self._path = f"/v1/projects/{project_id}/messages:send"
        self._access_token = access_token
        self._in_flight = in_flight
        self._process = os.getpid()
        self._untimed = 0

    def send(self, bodies: Sequence[bytes], *, gate: Gate) -> list[Answer | None]:
        """Send each body once; see `Transport.send`.

        Raises ForkedTransportError in another process than the one that made the transport, and
        what `access_token` raises, before anything is sent. After any other exception, such as a
        soft time limit, everything in flight has been abandoned.
        """
        if os.getpid() != self._process:
            raise ForkedTransportError
        fields = self._fields(self._access_token())
        try:
            self._pool.look()
            self._pool.authorize(fields)
            return self._run(bodies, gate)
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Drop everything in flight and every connection; the transport stays usable."""
        self._pool.close()
        self._pool = self._new_pool()

    def close(self) -> None:
        """Close all connections; the transport is not used again."""
        self._pool.close()

    def __del__(self) -> None:
        """Hang up once nobody has it any more: after a change of credentials, for example."""
        if hasattr(self, "_pool"):  # else it was refused its arguments
            self._pool.close()

    def _run(self, bodies: Sequence[bytes], gate: Gate) -> list[Answer | None]:
        answers: list[Answer | None] = [None] * len(bodies)
        begun_at: list[float] = []
        answered = 0
        while True:
            wait_s = MAX_WAIT_S
            started = len(begun_at)
            wanted = min(len(bodies) - started, self._in_flight - (started - answered))
            # Asked while answers are awaited too: whoever keeps a lease keeps it in there.
            if not gate.is_closed() and wanted:
                admitted = gate.admit(wanted)
                now = time.monotonic()
                for place in range(started, started + admitted):
                    self._pool.submit(place, bodies[place], now=now)
                begun_at += [now] * admitted
                if not admitted:
                    wait_s = min(wait_s, gate.wait_s())
            elif started == answered:
                return answers
            for place, answer in self._pool.step(wait_s):
                answered += 1
                answers[place] = heard = self._timed(answer, begun_at[place])
                gate.observe(heard)

    def _timed(self, answer: Answer, begun_at: float) -> Answer:
        self._untimed += 1
        if self._untimed < TIME_EVERY:
            return answer
        self._untimed = 0
        return replace(answer, seconds=time.monotonic() - begun_at)

    def _fields(self, token: str) -> dict[str, str]:
        return {
            ":path": self._path,
            ":authority": self._authority,
            "authorization": f"Bearer {token}",
            "content-type": "application/json",
            "user-agent": "pushcore",
        }
