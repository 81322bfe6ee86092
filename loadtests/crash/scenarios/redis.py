"""Redis is restarted, emptied or away while campaigns are being sent."""

from __future__ import annotations

import time

from loadtests.crash.result import SENDING_AGAIN_S, Result, judged
from loadtests.crash.scenarios.workers import launch_both
from loadtests.crash.system import System


def restart_with_data(system: System) -> Result:
    """Stop Redis and start it again."""
    campaigns = launch_both(system)
    system.redis.stop()
    system.redis.start()
    return judged(system, *campaigns, repeats=0, pause_s=SENDING_AGAIN_S)


def restart_without_data(system: System) -> Result:
    """Stop Redis and start it empty: broker, chords, quota and all."""
    campaigns = launch_both(system)
    system.redis.stop(keep_data=False)
    system.redis.start()
    return judged(system, *campaigns, repeats=0, pause_s=SENDING_AGAIN_S)


def empty(system: System) -> Result:
    """FLUSHALL while messages wait, batches are being sent and a chord is open."""
    campaigns = launch_both(system)
    system.redis.flush()
    return judged(system, *campaigns, repeats=0, pause_s=SENDING_AGAIN_S)


def away(system: System) -> Result:
    """Redis is away for a while: nobody may send without the shared quota."""
    campaigns = launch_both(system)
    system.redis.kill()
    time.sleep(system.scale.down_s)
    system.redis.start()
    pause_s = SENDING_AGAIN_S + system.scale.down_s
    return judged(system, *campaigns, repeats=0, pause_s=pause_s)
