"""How a connection is made without waiting: name, TCP, proxy, TLS, one small step at a time."""

from __future__ import annotations

import base64
import contextlib
import errno
import os
import selectors
import socket
import ssl
import threading
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

ALPN: Final = "h2"
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_MAX_REPLY_BYTES: Final = 16_384


class OpeningError(OSError):
    """No connection could be made; the message says why, in words for a log."""


@dataclass(frozen=True, slots=True)
class Awaited:
    """What an opening waits for: `socket` to be ready for `events`, or, without one, a moment."""

    socket: socket.socket | None
    events: int = 0


Steps = Generator[Awaited, None, socket.socket]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server by its URL; `tls` is None for one that is spoken to in the clear."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    proxy: str | None = None
    """URL of an HTTP proxy to go through."""


def endpoint_of(url: str, *, ca_file: str) -> Endpoint:
    """Return the server of a URL; `ca_file` is the PEM bundle of the authorities to trust.

    The environment's proxy (`https_proxy`, `no_proxy`) is respected, but for this machine itself.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    tls = _client_context(ca_file) if parts.scheme == "https" else None
    port = parts.port or (443 if tls else 80)
    proxy = None
    if host not in _LOOPBACK and not proxy_bypass(host):
        proxy = getproxies().get(parts.scheme)
    return Endpoint(host, port, tls, proxy)


def opening(endpoint: Endpoint) -> Steps:
    """Make a connection that is ready for HTTP/2; resume it whenever what it yields has come.

    Raises:
        OpeningError: it can't be made.
    """
    sock: socket.socket | None = None
    try:
        if endpoint.proxy is None:
            sock = yield from _connected(endpoint.host, endpoint.port)
        else:
            sock = yield from _tunnelled(endpoint, endpoint.proxy)
        if endpoint.tls is not None:
            sock = endpoint.tls.wrap_socket(
                sock, server_hostname=endpoint.host, do_handshake_on_connect=False
            )
            yield from _handshaken(sock)
    except BaseException as failure:
        if sock is not None:
            sock.close()
        if isinstance(failure, OSError) and not isinstance(failure, OpeningError):
            raise OpeningError(str(failure)) from failure
        raise
    return sock


def _client_context(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 9113 §9.2
    context.set_alpn_protocols([ALPN])
    return context


def _connected(host: str, port: int) -> Steps:
    """Connect to the first of a name's addresses that answers."""
    failure: OSError = OpeningError(f"{host} has no address")
    for family, kind, protocol, _, address in (yield from _resolved(host, port)):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            code = sock.connect_ex(address)
            if code == errno.EINPROGRESS:
                yield Awaited(sock, selectors.EVENT_WRITE)
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if not code:
                return sock
            failure = OpeningError(code, os.strerror(code))
        except BaseException:
            sock.close()
            raise
        sock.close()
    raise failure


def _resolved(host: str, port: int) -> Generator[Awaited, None, list[tuple[Any, ...]]]:
    """Look a name up in a thread: the system's resolver has no other way not to wait."""
    with contextlib.suppress(socket.gaierror):
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    found: list[list[tuple[Any, ...]] | OSError] = []

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as failure:
            found.append(failure)

    threading.Thread(target=look_up, daemon=True, name="pushcore-resolver").start()
    while not found:
        yield Awaited(None)
    (addresses,) = found
    if isinstance(addresses, OSError):
        message = f"{host} is not found: {addresses}"
        raise OpeningError(message) from addresses
    return addresses


def _tunnelled(endpoint: Endpoint, proxy: str) -> Steps:
    """Have an HTTP proxy connect us (CONNECT, RFC 9110 §9.3.6)."""
    parts = urlsplit(proxy)
    sock = yield from _connected(parts.hostname or "", parts.port or 8080)
    try:
        target = f"{endpoint.host}:{endpoint.port}"
        request = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            request += f"Proxy-Authorization: Basic {base64.b64encode(login).decode()}\r\n"
        sock.sendall(f"{request}\r\n".encode("latin-1"))
        reply = b""
        while not reply.endswith(b"\r\n\r\n"):
            yield Awaited(sock, selectors.EVENT_READ)
            # A byte at a time: what comes after the reply is the server's already.
            if not (byte := sock.recv(1)) or len(reply) > _MAX_REPLY_BYTES:
                raise OpeningError("the proxy hung up")
            reply += byte
        status = reply.split(b"\r\n", 1)[0].decode("latin-1")
        if status.split(" ")[1:2] != ["200"]:
            message = f"the proxy refuses: {status}"
            raise OpeningError(message)
    except BaseException:
        sock.close()
        raise
    return sock


def _handshaken(sock: ssl.SSLSocket) -> Generator[Awaited, None, None]:
    while True:
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            yield Awaited(sock, selectors.EVENT_READ)
        except ssl.SSLWantWriteError:
            yield Awaited(sock, selectors.EVENT_WRITE)
        else:
            break
    if sock.selected_alpn_protocol() != ALPN:
        raise OpeningError("the server speaks no HTTP/2")
