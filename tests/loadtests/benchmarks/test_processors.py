from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from loadtests.benchmarks.engine.processors import Kind, Processors, kind_of

WORKER = ["python", "-m", "celery", "--app", "settings.celery", "worker", "--pool", "prefork"]
PARENT = ["python", "-m", "loadtests.benchmarks.engine.job"]


@pytest.mark.parametrize(
    ("command", "parent", "kind"),
    [
        (WORKER, PARENT, Kind.WORKER_MAIN),
        (WORKER, WORKER, Kind.SENDING),
        (["python", "-m", "celery", "--app", "settings.celery", "beat"], PARENT, Kind.BEAT),
        (["python", "-m", "granian", "settings.wsgi:application"], PARENT, Kind.WEB),
        (["python", "-m", "loadtests.fcm_emulator", "--quota", "0"], PARENT, Kind.EMULATOR),
        (["/srv/pginstall18/bin/postgres", "-D", "/data"], PARENT, Kind.POSTGRES),
        (["postgres: pushcore pushcore 127.0.0.1(6000) idle"], ["postgres"], Kind.POSTGRES),
        (["/srv/valkey-server 127.0.0.1:6379"], PARENT, Kind.REDIS),
        (PARENT, [], Kind.BENCHMARK),
        ([], [], Kind.BENCHMARK),
    ],
)
def test_a_process_is_known_by_its_command_line(
    command: list[str], parent: list[str], kind: Kind
) -> None:
    assert kind_of(command, parent) == kind


def work(seconds: float) -> None:
    """Use so much processor time, however busy the machine is."""
    ends_at = time.process_time() + seconds
    while time.process_time() < ends_at:
        pass


def test_only_what_is_used_within_the_block_is_counted() -> None:
    work(0.4)
    with Processors() as processors:
        pass
    assert processors.seconds()[Kind.BENCHMARK] < 0.3
    with Processors() as processors:
        work(0.4)
    assert processors.seconds()[Kind.BENCHMARK] >= 0.38  # read to the hundredth of a second


def test_what_others_used_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = [(100.0, 50.0), (103.0, 51.5)]

    def cpu_times() -> SimpleNamespace:
        user, softirq = busy.pop(0) if len(busy) > 1 else busy[0]
        return SimpleNamespace(user=user, system=7.0, softirq=softirq, idle=9.0, iowait=8.0)

    monkeypatch.setattr("psutil.cpu_times", cpu_times)
    with Processors() as processors:
        pass
    assert processors.seconds()[Kind.ELSEWHERE] == pytest.approx(4.5, abs=0.3)
