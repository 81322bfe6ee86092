"""Batches of messages over the pool of connections to one FCM project.

Nothing here needs a thread or an event loop. Connections live from batch to batch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from urllib.parse import urlsplit

import certifi

from pushcore.transports.base import Answer, ForkedTransportError, Gate
from pushcore.transports.gated_loop import GatedLoop
from pushcore.transports.http2.opening import endpoint_of
from pushcore.transports.http2.pool import Pool


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
        self._gated = GatedLoop(in_flight=in_flight)
        self._process = os.getpid()

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
            return self._gated.run(bodies, gate=gate, wire=self._pool)
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

    def _fields(self, token: str) -> dict[str, str]:
        return {
            ":path": self._path,
            ":authority": self._authority,
            "authorization": f"Bearer {token}",
            "content-type": "application/json",
            "user-agent": "pushcore",
        }
