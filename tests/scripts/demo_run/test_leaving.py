from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from scripts.embedded.folders import CHECKOUT

PROGRAM = """
import signal, sys, time
from scripts.demo_run.leaving import leave_in_order_when_told
leave_in_order_when_told()
try:
    print("working", flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    sys.exit(130)
finally:
    print("leaving", flush=True)
    sys.stdin.readline()
    print("left in order", flush=True)
"""


def start(*, deaf: bool = False) -> subprocess.Popen[str]:
    handler = signal.SIG_IGN if deaf else signal.SIG_DFL
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, handler),  # noqa: PLW1509 - takes no lock
    )


@pytest.mark.parametrize(
    ("first", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_who_is_told_twice_leaves_in_order_all_the_same(first: signal.Signals, status: int) -> None:
    with start() as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "working\n"
        program.send_signal(first)
        assert program.stdout.readline() == "leaving\n"
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            program.send_signal(signum)
        out, _ = program.communicate("go on\n", timeout=30)
    assert (out, program.returncode) == ("left in order\n", status)


def test_in_the_background_it_stays_deaf_to_ctrl_c() -> None:
    with start(deaf=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "working\n"
        program.send_signal(signal.SIGINT)
        program.send_signal(signal.SIGTERM)
        program.communicate("go on\n", timeout=30)
    assert program.returncode == 143
