"""Free TCP ports on 127.0.0.1."""

from __future__ import annotations

import random
import socket

from scripts.embedded.errors import ServersError

FIRST, LAST = 20_000, 32_000
"""Below the range that Linux gives to outgoing connections (32,768 and up): a port from that
range could be taken while a crash test restarts its server."""


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port that nobody listens on.

    Raises:
        ServersError: none of a hundred tried is free.
    """
    for port in random.SystemRandom().sample(range(FIRST, LAST), 100):
        if is_free(port):
            return port
    message = f"No free TCP port found between {FIRST} and {LAST} on 127.0.0.1."
    raise ServersError(message)
