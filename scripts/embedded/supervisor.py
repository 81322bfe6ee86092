"""The background process behind `scripts/services up`: it owns a profile's servers.

    python -m scripts.embedded.supervisor <profile>

The servers end with their parent, so somebody has to be the parent. It leaves on SIGTERM, or when
a server ended by itself: the next `up` then starts afresh instead of meeting half a pair.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType

from scripts.embedded import ServersError, running_servers

OWNER = "scripts/services"
WATCH_INTERVAL_S = 1.0


def supervise(profile: str) -> int:
    """Own the servers of `profile` until SIGTERM; return the exit status."""
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, _leave)
    environ = {key: os.environ[key] for key in os.environ if not key.endswith("_URL")}
    with running_servers(profile, environ=environ, owner=OWNER) as servers:
        if servers.postgres is None or servers.redis is None:
            return 0  # another owner was faster
        while servers.postgres.is_running and servers.redis.is_running:
            time.sleep(WATCH_INTERVAL_S)
    print("A server ended by itself: see the logs beside this one.", file=sys.stderr)
    return 1


def _leave(_signum: int, _frame: FrameType | None) -> None:
    """Unwind, so that the servers are stopped in order."""
    sys.exit(0)


if __name__ == "__main__":
    try:
        sys.exit(supervise(sys.argv[1]))
    except ServersError as exc:
        sys.exit(str(exc))
