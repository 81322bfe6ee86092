"""FCM over HTTP/2 by libcurl, at four times the cost of `pushcore.transports.http2`.

What to change to (`FCM_TRANSPORT`) should a server, or what stands before it, not get on with ours.

Connections live from batch to batch. Nothing here needs a thread or an event loop.

What libcurl does by itself and must not: a POST on a connection that dies before the first byte of
its answer is sent again, silently, though the server may have read it (`Curl_retry_request`). So
each body is handed over as a stream that cannot be rewound, which makes libcurl give up instead;
and the stream's position is the proof of what was never sent.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Final
from urllib.parse import urlsplit

import certifi
import pycurl

from pushcore.transports.base import MAX_BODY_BYTES, Answer, Fault, ForkedTransportError, Gate
from pushcore.transports.curl_loop import CurlLoop
from pushcore.transports.gated_loop import Answered, GatedLoop

UNREAD: Final = b"(too long a body to be read)"
"""Stands for a body whose announced length is too much: no answer of FCM's, whatever its status."""
CANNOT_REWIND: Final = "necessary data rewind was not possible"
"""libcurl's words when it wanted to send again. Where they are the first thing that went wrong, the
server had refused the stream; a connection that died says so first."""


class _Slot:
    """One reusable easy handle and the message that it carries."""

    __slots__ = ("body", "chunks", "curl", "place")

    def __init__(self, curl: pycurl.Curl) -> None:
        self.curl = curl
        self.place = -1
        self.body = BytesIO()
        self.chunks: list[bytes] = []
        # Methods of C only: no Python code runs inside of libcurl's transfer for each message.
        curl.setopt(pycurl.WRITEFUNCTION, self.chunks.append)

    def load(self, place: int, body: bytes) -> None:
        self.place = place
        self.chunks.clear()
        self.body = BytesIO(body)
        self.curl.setopt(pycurl.READFUNCTION, self.body.read)
        self.curl.setopt(pycurl.POSTFIELDSIZE, len(body))

    def was_read(self) -> bool:
        """Whether libcurl took the body: if not, it cannot be on the wire."""
        return self.body.tell() > 0


class CurlTransport:
    """Sends messages of one FCM project over HTTP/2 (a `Transport`).

    `endpoint` is scheme, host and port, such as `https://fcm.googleapis.com`; with `http`, HTTP/2
    is spoken without TLS and without negotiation. `access_token` is asked once for each `send`.
    `ca_file` is the PEM bundle of the authorities to trust, None for certifi's.

    At most `connections`, with at most `max_streams` messages at a time on each (FCM allows 100)
    and `in_flight` on all. `timeout_s` is from a message's start to the end of its answer (Google
    asks for 10 s at least), `connect_timeout_s` for a connection to be made.
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
        self._access_token = access_token
        self._connections = connections
        self._max_streams = max_streams
        self._gated = GatedLoop(in_flight=in_flight)
        self._options = _options(
            endpoint=endpoint,
            project_id=project_id,
            ca_file=ca_file,
            timeout_s=timeout_s,
            connect_timeout_s=connect_timeout_s,
        )
        self._token = ""
        self._process = os.getpid()
        self._slots: dict[pycurl.Curl, _Slot] = {}
        self._free: list[_Slot] = []
        self._loop = self._new_loop()

    def send(self, bodies: Sequence[bytes], *, gate: Gate) -> list[Answer | None]:
        """Send each body once; see `Transport.send`.

        Raises ForkedTransportError in another process than the one that made the transport, and
        what `access_token` raises, before anything is sent. After any other exception, such as a
        soft time limit, everything in flight has been abandoned.
        """
        if os.getpid() != self._process:
            raise ForkedTransportError
        if self._loop.has_dead_connection():
            self.abandon()
        self._authorize(self._access_token())
        try:
            return self._gated.run(bodies, gate=gate, wire=self)
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Drop everything in flight and every connection; the transport stays usable."""
        self.close()
        self._loop = self._new_loop()

    def close(self) -> None:
        """Close all connections; the transport is not used again."""
        self._loop.close(list(self._slots))
        self._slots.clear()
        self._free.clear()

    def __del__(self) -> None:
        """Hang up once nobody has it any more: after a change of credentials, for example."""
        if hasattr(self, "_loop"):  # else it was refused its arguments
            self.close()

    def _new_loop(self) -> CurlLoop:
        return CurlLoop(connections=self._connections, max_streams=self._max_streams)

    def submit(self, place: int, body: bytes, *, now: float) -> None:  # noqa: ARG002  of a Wire
        """Hand a message to libcurl, where it waits if there is no room (a `Wire`)."""
        slot = self._free.pop() if self._free else self._new_slot()
        slot.load(place, body)
        self._loop.add(slot.curl)

    def step(self, wait_s: float) -> list[Answered]:
        """Move libcurl's transfers on; return the answers since the last step (a `Wire`)."""
        answered: list[Answered] = []

        def finish(curl: pycurl.Curl, code: int, error: str) -> None:
            slot = self._slots[curl]
            answer = _answer(slot) if code == 0 else _fault(slot, code, error)
            answered.append((slot.place, answer))
            self._free.append(slot)

        self._loop.step(wait_s, finish=finish)
        return answered

    def _new_slot(self) -> _Slot:
        curl = pycurl.Curl()
        for option, value in self._options:
            curl.setopt(option, value)
        curl.setopt(pycurl.HTTPHEADER, self._headers())
        slot = self._slots[curl] = _Slot(curl)
        return slot

    def _authorize(self, token: str) -> None:
        if token != self._token:
            self._token = token
            for curl in self._slots:
                curl.setopt(pycurl.HTTPHEADER, self._headers())

    def _headers(self) -> list[str]:
        return [
            f"Authorization: Bearer {self._token}",
            "Content-Type: application/json",
            "Accept:",
        ]


def _options(
    *,
    endpoint: str,
    project_id: str,
    ca_file: str | None,
    timeout_s: float,
    connect_timeout_s: float,
) -> list[tuple[int, object]]:
    """Return the options that all messages share."""
    parts = urlsplit(endpoint)
    version = (
        pycurl.CURL_HTTP_VERSION_2TLS
        if parts.scheme == "https"
        else pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE
    )
    options: list[tuple[int, object]] = [
        (pycurl.URL, f"{endpoint.rstrip('/')}/v1/projects/{project_id}/messages:send"),
        (pycurl.HTTP_VERSION, version),
        (pycurl.CAINFO, ca_file or certifi.where()),
        (pycurl.POST, 1),
        (pycurl.USERAGENT, "pushcore"),
        (pycurl.TIMEOUT_MS, round(timeout_s * 1000)),
        (pycurl.CONNECTTIMEOUT_MS, round(connect_timeout_s * 1000)),
        (pycurl.PIPEWAIT, 1),
        (pycurl.TCP_KEEPALIVE, 1),
        # No signals and no handling of SIGPIPE, which Python ignores anyway.
        (pycurl.NOSIGNAL, 1),
        # libcurl stops reading there, whatever the server sends.
        (pycurl.MAXFILESIZE, MAX_BODY_BYTES),
        # The smallest that libcurl takes: 64 KiB for each message in flight would be 30 MB.
        (pycurl.UPLOAD_BUFFERSIZE, 16_384),
    ]
    if parts.hostname in ("localhost", "127.0.0.1", "::1"):
        options.append((pycurl.NOPROXY, "*"))  # a machine's proxy does not lead to itself
    return options


def _answer(slot: _Slot) -> Answer:
    """Return a complete answer, or one whose body was too long."""
    status: int = slot.curl.getinfo(pycurl.RESPONSE_CODE)
    if status == 0:
        return Answer(0, fault=Fault.BROKEN)
    body = b"".join(slot.chunks)
    if status == 200:
        return Answer(200, body)
    # libcurl turns a date into seconds from now; 0 stands for no header too.
    retry_after: int = slot.curl.getinfo(pycurl.RETRY_AFTER)
    return Answer(status, body, str(retry_after) if retry_after else None)


def _fault(slot: _Slot, code: int, error: str) -> Answer:
    """Return what is known of a message whose transfer failed."""
    # A refusal without its whole body could be misread. But 200 is said when the message has been
    # accepted: losing that for its message id would send it again.
    if code == pycurl.E_FILESIZE_EXCEEDED and not slot.chunks:
        slot.chunks.append(UNREAD)
    if code == pycurl.E_FILESIZE_EXCEEDED or slot.curl.getinfo(pycurl.RESPONSE_CODE) == 200:
        return _answer(slot)
    if not slot.was_read() or (code == pycurl.E_SEND_FAIL_REWIND and error == CANNOT_REWIND):
        return Answer(0, fault=Fault.NEVER_SENT)
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return Answer(0, fault=Fault.TIMEOUT)
    return Answer(0, fault=Fault.BROKEN)
