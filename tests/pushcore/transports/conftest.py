"""What the transports' tests are served by."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from loadtests.fcm_emulator import tls
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
