from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable

import pytest

from loadtests.fcm_emulator.tls import TlsFiles
from pushcore.transports.base import Answer, Fault, OpenGate
from pushcore.transports.http2 import Http2Transport
from pushcore.transports.http2.opening import endpoint_of
from tests.pushcore.transports.wire import WireServer, message

Serve = Callable[..., WireServer]
NEVER_SENT = [Answer(0, fault=Fault.NEVER_SENT)]


class Proxy:
    """An HTTP proxy that serves one client, by CONNECT; or that says something else."""

    def __init__(self, *, says: bytes = b"HTTP/1.1 200 OK\r\nVia: test\r\n\r\n") -> None:
        self.heads: list[str] = []
        self._says = says
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Wait until the client has hung up."""
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        client, _ = self._listener.accept()
        with client:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += client.recv(1)
            self.heads.append(head.decode())
            client.sendall(self._says)
            if b" 200 " in self._says:
                self._tunnel(client, int(head.split(b" ")[1].split(b":")[1]))

    def _tunnel(self, client: socket.socket, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as server:
            back = threading.Thread(target=_pump, args=(server, client))
            back.start()
            _pump(client, server)
            back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def send(tls_files: TlsFiles) -> Callable[..., list[Answer | None]]:
    """Send one message to a URL, and hang up."""

    def send_to(url: str, *, connect_timeout_s: float = 5.0) -> list[Answer | None]:
        transport = Http2Transport(
            endpoint=url,
            project_id="demo",
            access_token=lambda: "secret",
            ca_file=str(tls_files.ca),
            connect_timeout_s=connect_timeout_s,
        )
        with contextlib.closing(transport):
            return transport.send([message("ok.1")], gate=OpenGate())

    return send_to


Send = Callable[..., list[Answer | None]]


def statuses(answers: list[Answer | None]) -> list[int | None]:
    return [None if answer is None else answer.status for answer in answers]


def test_a_names_first_address_that_answers_is_taken(
    serve: Serve, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    port = int(server.endpoint.rsplit(":", 1)[1])
    with socket.create_server(("127.0.0.1", 0)) as closed:
        refusing = closed.getsockname()
    look_up = socket.getaddrinfo

    def of_name(host: str, *args: object, **options: object) -> object:
        if host != "localhost":
            return look_up(host, *args, **options)  # type: ignore[arg-type]
        if options.get("flags"):
            raise socket.gaierror
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", refusing),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", of_name)
    assert statuses(send(f"https://localhost:{port}")) == [200]


def test_a_server_that_speaks_no_http2_gets_no_message(tls_files: TlsFiles, send: Send) -> None:
    context = tls_files.server_context()
    context.set_alpn_protocols(["http/1.1"])
    heard: list[bytes] = []

    def serve_once() -> None:
        client, _ = listener.accept()
        with context.wrap_socket(client, server_side=True) as wrapped:
            heard.append(wrapped.recv(1_000))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve_once)
        thread.start()
        assert send(f"https://127.0.0.1:{listener.getsockname()[1]}") == NEVER_SENT
        thread.join()
    assert heard == [b""]


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_server_that_says_nothing_is_given_up_in_time(send: Send, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        answers = send(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}", connect_timeout_s=0.3)
        assert answers == NEVER_SENT
        assert 0.3 <= time.monotonic() - began < 3


def test_a_proxy_is_gone_through(
    serve: Serve, send: Send, tls_files: TlsFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    port = int(server.endpoint.rsplit(":", 1)[1])
    with Proxy() as proxy:
        # No loopback by its name; the proxy is where all names lead.
        monkeypatch.setenv("https_proxy", f"http://me:pass%20word@127.0.0.1:{proxy.port}")
        monkeypatch.setattr(
            "pushcore.transports.http2.opening._client_context", _trusting_any_name(tls_files)
        )
        assert statuses(send(f"https://fcm.example:{port}")) == [200]
    (head,) = proxy.heads
    assert head.splitlines() == [
        f"CONNECT fcm.example:{port} HTTP/1.1",
        f"Host: fcm.example:{port}",
        "Proxy-Authorization: Basic bWU6cGFzcyB3b3Jk",
        "",
    ]


def _trusting_any_name(tls_files: TlsFiles) -> Callable[[str], ssl.SSLContext]:
    def context(ca_file: str) -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=ca_file)
        made.set_alpn_protocols(["h2"])
        made.check_hostname = False
        return made

    return context


@pytest.mark.parametrize("says", [b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", b""])
def test_what_a_proxy_refuses_was_never_sent(
    send: Send, monkeypatch: pytest.MonkeyPatch, says: bytes
) -> None:
    with Proxy(says=says) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        assert send("https://fcm.example") == NEVER_SENT


def test_no_proxy_leads_to_this_machine_or_where_none_is_wanted(
    tls_files: TlsFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "inside.example")
    ca_file = str(tls_files.ca)
    assert endpoint_of("https://127.0.0.1:1", ca_file=ca_file).proxy is None
    assert endpoint_of("https://inside.example", ca_file=ca_file).proxy is None
    outside = endpoint_of("https://fcm.googleapis.com", ca_file=ca_file)
    assert (outside.port, outside.proxy) == (443, "http://proxy.example:3128")
