"""What the transports' tests are served by."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from loadtests.fcm_emulator import tls
from tests.pushcore.transports.clients import KINDS, Connect, HttpTransport
from tests.pushcore.transports.wire import WireServer


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> tls.TlsFiles:
    return tls.ensure(tmp_path_factory.mktemp("wire-tls"), now=dt.datetime.now(dt.UTC))


@pytest.fixture
def serve(tls_files: tls.TlsFiles) -> Iterator[Callable[..., WireServer]]:
    """Start a server; `serve(secure=False)` for one without TLS, `max_streams=` for a low limit."""
    with ExitStack() as servers:

        def start(*, secure: bool = True, max_streams: int = 100) -> WireServer:
            context: ssl.SSLContext | None = tls_files.server_context() if secure else None
            return servers.enter_context(WireServer(tls=context, max_streams=max_streams))

        yield start


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> type[HttpTransport]:
    return KINDS[request.param]


@pytest.fixture
def connect(tls_files: tls.TlsFiles, kind: type[HttpTransport]) -> Iterator[Connect]:
    """Make a transport to a server or an endpoint; short of patience unless told otherwise."""
    transports: list[HttpTransport] = []

    def make(
        to: WireServer | str,
        *,
        ca_file: str | None = str(tls_files.ca),
        token: Callable[[], str] = lambda: "secret",
        connections: int = 2,
        in_flight: int = 500,
        timeout_s: float = 10.0,
    ) -> HttpTransport:
        transport = kind(
            endpoint=to if isinstance(to, str) else to.endpoint,
            project_id="demo",
            access_token=token,
            ca_file=ca_file,
            connections=connections,
            in_flight=in_flight,
            timeout_s=timeout_s,
            connect_timeout_s=5.0,
        )
        transports.append(transport)
        return transport

    yield make
    for transport in transports:
        transport.close()
