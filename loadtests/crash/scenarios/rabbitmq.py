"""RabbitMQ, as the broker, is killed while campaigns are being sent."""

from __future__ import annotations

from loadtests.crash.rabbitmq import RabbitServer
from loadtests.crash.result import SENDING_AGAIN_S, Result, judged
from loadtests.crash.scenarios.workers import launch_both
from loadtests.crash.system import System


def kill_broker(system: System, broker: RabbitServer) -> Result:
    """SIGKILL RabbitMQ and start it again: what was published to its quorum queues is there."""
    campaigns = launch_both(system)
    broker.kill()
    broker.start()
    pause_s = SENDING_AGAIN_S + 30  # the node's own start, and Celery's way back to it
    return judged(system, *campaigns, repeats=0, pause_s=pause_s)
