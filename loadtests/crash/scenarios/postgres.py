"""PostgreSQL is restarted, away, or cuts its connections while campaigns are being sent."""

from __future__ import annotations

import time

from loadtests.crash.result import SENDING_AGAIN_S, Result, judged
from loadtests.crash.scenarios.workers import launch_both, while_sending
from loadtests.crash.system import System

_CUT = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


def restart_at_once(system: System) -> Result:
    """Stop PostgreSQL as a crash would, and start it again."""
    campaigns = launch_both(system)
    system.postgres.stop(mode="immediate")
    system.postgres.start()
    return judged(system, *campaigns, repeats=0, pause_s=SENDING_AGAIN_S)


def away(system: System) -> Result:
    """PostgreSQL is away for a while; what the provider said meanwhile is settled afterwards."""
    campaigns = launch_both(system)
    system.postgres.kill()
    time.sleep(system.scale.down_s)
    system.postgres.start()
    pause_s = SENDING_AGAIN_S + system.scale.down_s
    return judged(system, *campaigns, repeats=0, pause_s=pause_s)


def cut_connections(system: System) -> Result:
    """pg_terminate_backend on every connection, again and again."""
    campaigns = launch_both(system)
    cut = 0
    for _ in while_sending(system, campaigns):
        cut += system.database.value(_CUT)
    result = judged(system, *campaigns, repeats=0, pause_s=SENDING_AGAIN_S)
    result.notes.append(f"{cut} connections cut")
    result.demand(cut > 0, "no connection was cut")
    return result
