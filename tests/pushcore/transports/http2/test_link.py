"""A server that reads slowly, then hangs up: what it had read is never called unsent."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import h2.config
import h2.connection
import h2.events
import pytest
from h2.settings import SettingCodes

from loadtests.fcm_emulator.tls import TlsFiles
from pushcore.transports.base import Fault, OpenGate
from pushcore.transports.http2 import Http2Transport

MESSAGES = 100
BODY = b'{"message": "' + b"x" * 60_000 + b'"}'
READ_BYTES = 900_000


class SlowServer:
    """Reads nothing until told to, then some, then resets the connection."""

    def __init__(self, tls_files: TlsFiles) -> None:
        self.whole = 0
        """Requests that were read to their end."""
        self._context = tls_files.server_context()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        return f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        accepted, _ = self._listener.accept()
        with self._context.wrap_socket(accepted, server_side=True) as client:
            peer = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
            peer.initiate_connection()
            peer.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1 << 20})
            peer.increment_flow_control_window(1 << 24)
            client.sendall(peer.data_to_send())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
            # Until the client's socket takes no more. Were that too short, nothing would be shown.
            threading.Event().wait(0.3)
            read = 0
            while read < READ_BYTES and (data := client.recv(16_384)):
                read += len(data)
                events = peer.receive_data(data)
                self.whole += sum(isinstance(event, h2.events.StreamEnded) for event in events)
            # What is unread makes this a reset.


@pytest.fixture
def server(tls_files: TlsFiles) -> Iterator[SlowServer]:
    server = SlowServer(tls_files)
    yield server
    server.close()


def test_what_a_server_has_read_is_not_called_unsent(
    server: SlowServer, tls_files: TlsFiles
) -> None:
    transport = Http2Transport(
        endpoint=server.endpoint,
        project_id="demo",
        access_token=lambda: "secret",
        ca_file=str(tls_files.ca),
        connections=1,
    )
    with contextlib.closing(transport):
        answers = transport.send([BODY] * MESSAGES, gate=OpenGate())
    faults = [answer and answer.fault for answer in answers]
    assert server.whole > 5
    assert faults[: server.whole] == [Fault.BROKEN] * server.whole
    assert Fault.NEVER_SENT in faults
