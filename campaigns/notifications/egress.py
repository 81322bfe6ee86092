"""Requests to addresses that users chose: to the public internet only, and never for long.

The address is judged where the socket is opened, by the address itself: a name that resolves to
something else the second time gains nothing, as it is resolved once and what was judged is what is
connected to. Redirects are not followed, proxies of the environment not used, and of an answer only
the beginning is read.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import certifi
import pycurl

TIMEOUT_S: Final = 10
"""For all of it: looking the name up, connecting, and the answer."""
_CONNECT_TIMEOUT_S: Final = 5
_READ_BYTES: Final = 4_096


class UrlRefused(Exception):
    """The URL leads where nothing may be sent; the message says why."""


class Unanswered(Exception):
    """No whole answer came; the message says why."""


@dataclass(frozen=True)
class Reply:
    """The answer's status and the beginning of its body."""

    status_code: int
    body: bytes


def check_url(url: str, *, private_hosts: Collection[str]) -> SplitResult:
    """Return the URL's parts, if it is one that may be sent to as far as can be seen in it.

    `private_hosts` are names or addresses that may be private, and be reached without TLS.

    Raises:
        UrlRefused: it is not.
    """
    # What two readers of URLs may read differently is no URL here.
    if not url.isascii() or any(sign.isspace() or sign == "\\" or sign < " " for sign in url):
        raise UrlRefused("It has characters that a URL can't have.")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise UrlRefused("It is no URL.") from None
    if not host:
        raise UrlRefused("It names no host.")
    if parts.username is not None or parts.password is not None:
        raise UrlRefused("It must not hold a user name or password.")
    if host in private_hosts:
        if parts.scheme not in {"https", "http"}:
            raise UrlRefused("It must begin with https:// or http://.")
        return parts
    if parts.scheme != "https":
        raise UrlRefused("It must begin with https://.")
    _refuse_literal(host)
    return parts


def _refuse_literal(host: str) -> None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return  # a name: it is judged when it is resolved
    if not is_public(str(address)):
        raise UrlRefused("It leads to an address that is not public.")


def is_public(address: str) -> bool:
    """Return whether the IP address is one of the public internet, also inside of another."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if inner := found.ipv4_mapped or found.sixtofour or _nat64(found):
            return is_public(str(inner))
        if found.teredo:
            return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def _nat64(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in ipaddress.ip_network("64:ff9b::/96"):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


@dataclass
class _Exchange:
    """One request under way."""

    may_be_private: bool
    refused: list[str] = field(default_factory=list)
    sockets: list[socket.socket] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)

    def open_socket(self, _purpose: int, target: Any) -> Any:
        """Open a socket to an address that was judged, or none."""
        family, kind, protocol, address = target
        if not self.may_be_private and not is_public(address[0]):
            self.refused.append(address[0])
            return pycurl.SOCKET_BAD
        self.sockets.append(socket.socket(family, kind, protocol))
        return self.sockets[-1]

    def read(self, data: bytes) -> int:
        """Keep the beginning; anything but the length ends the transfer."""
        room = _READ_BYTES - len(self.body)
        self.body += data[:room]
        return len(data) if len(data) <= room else 0


def post(
    url: str, *, headers: Mapping[str, str], body: bytes, private_hosts: Collection[str]
) -> Reply:
    """Post the body and return the answer, whatever its status.

    Raises:
        UrlRefused: the URL, or what its name resolves to, is none that may be sent to.
        Unanswered: nobody answered whole within `TIMEOUT_S`.
    """
    parts = check_url(url, private_hosts=private_hosts)
    exchange = _Exchange(may_be_private=parts.hostname in private_hosts)
    curl = _prepared(url, headers=headers, body=body, exchange=exchange)
    try:
        curl.perform()
    except pycurl.error as exc:
        if exchange.refused:
            raise UrlRefused("Its name leads to an address that is not public.") from None
        if exc.args[0] != pycurl.E_WRITE_ERROR:  # the answer is long: its beginning is enough
            raise Unanswered(str(exc.args[-1])) from None
    finally:
        status_code = int(curl.getinfo(pycurl.RESPONSE_CODE))
        curl.close()
        for opened in exchange.sockets:  # pycurl has worked with copies of them
            opened.close()
    return Reply(status_code, bytes(exchange.body))


def _prepared(
    url: str, *, headers: Mapping[str, str], body: bytes, exchange: _Exchange
) -> pycurl.Curl:
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.POSTFIELDS, body)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    curl.setopt(pycurl.HTTPHEADER, [*lines, "Expect:", "User-Agent: Pushcore"])
    curl.setopt(pycurl.OPENSOCKETFUNCTION, exchange.open_socket)
    curl.setopt(pycurl.WRITEFUNCTION, exchange.read)
    curl.setopt(pycurl.FOLLOWLOCATION, 0)
    curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTPS | pycurl.PROTO_HTTP)
    curl.setopt(pycurl.PROXY, "")
    curl.setopt(pycurl.CAINFO, certifi.where())
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.CONNECTTIMEOUT, _CONNECT_TIMEOUT_S)
    curl.setopt(pycurl.TIMEOUT, TIMEOUT_S)
    return curl
