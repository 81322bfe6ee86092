"""With RabbitMQ as the broker the same holds; skipped where none can be had."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loadtests.crash.rabbitmq import RabbitServer, find_program
from loadtests.crash.result import Result
from loadtests.crash.scale import SHORT
from loadtests.crash.scenarios import control, messages, parts, postgres, rabbitmq, redis, workers
from loadtests.crash.system import System, running_system
from scripts.embedded import running_servers

pytestmark = pytest.mark.scenario


@pytest.fixture(scope="module")
def broker(open_folder: Path) -> Iterator[RabbitServer | None]:
    """A RabbitMQ of our own; None where `PUSHCORE_TEST_AMQP_URL` names another."""
    if os.environ.get("PUSHCORE_TEST_AMQP_URL"):
        yield None
        return
    program = find_program()
    if program is None:
        pytest.skip("this machine has no rabbitmq-server, and PUSHCORE_TEST_AMQP_URL is not set")
    server = RabbitServer(folder=open_folder, program=program)
    with contextlib.ExitStack() as stack:
        stack.callback(server.stop)
        server.start()
        yield server


@pytest.fixture(scope="module")
def _amqp_system(
    broker: RabbitServer | None, open_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    url = broker.url if broker else os.environ["PUSHCORE_TEST_AMQP_URL"]
    folder = tmp_path_factory.mktemp("crash-amqp")
    with (
        running_servers("amqp", environ={}, data_root=open_folder) as servers,
        running_system(SHORT, servers=servers, folder=folder, broker_url=url) as system,
    ):
        yield system


@pytest.fixture
def amqp_system(_amqp_system: System) -> System:
    """The whole engine over RabbitMQ, with an emulator that has forgotten everything."""
    _amqp_system.mend()
    return _amqp_system


@pytest.mark.parametrize(
    "scenario",
    [
        workers.kill_processes,
        workers.kill_worker,
        workers.stop_past_the_lease,
        workers.rolling_deploy,
        redis.empty,
        redis.away,
        postgres.restart_at_once,
        postgres.away,
        messages.lose_the_callback,
        messages.rescue_at_once,
        parts.kill_planner,
        parts.kill_beat,
        control.pause_resume_cancel,
        control.urgent_beats_bulk,
    ],
    ids=lambda scenario: scenario.__name__,
)
def test_nothing_is_lost_over_rabbitmq(
    amqp_system: System, scenario: Callable[[System], Result]
) -> None:
    assert scenario(amqp_system).violations == []


def test_nothing_is_lost_when_rabbitmq_is_killed(
    amqp_system: System, broker: RabbitServer | None
) -> None:
    if broker is None:
        pytest.skip("the RabbitMQ of PUSHCORE_TEST_AMQP_URL is not ours to kill")
    assert rabbitmq.kill_broker(amqp_system, broker).violations == []
