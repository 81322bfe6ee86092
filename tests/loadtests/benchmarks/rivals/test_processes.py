"""Drivers: set off at once, heard, and ended."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from loadtests.benchmarks.rivals.drivers.driving import Job, Told
from loadtests.benchmarks.rivals.processes import DriverFailedError, Drivers

DRIVER = """
import json, sys, time
sys.stdout.write("words of a library\\nrival {}\\n"); sys.stdout.flush()
sys.stdin.readline()
ends_at = time.process_time() + 0.2
while time.process_time() < ends_at: pass
print("rival " + json.dumps({"succeeded": int(sys.argv[1])}), flush=True)
sys.stdin.read()
"""


def drivers(*programs: list[str], log: Path) -> Drivers:
    commands = [[sys.executable, "-c", *program] for program in programs]
    return Drivers(commands, environment={}, log=log)


def test_all_are_set_off_and_their_processor_time_is_added_up(tmp_path: Path) -> None:
    with drivers([DRIVER, "7"], [DRIVER, "5"], log=tmp_path / "log") as running:
        running.wait_until_ready(within_s=20)
        cost, told = running.send(within_s=20)
        pids = [process.pid for process in running._processes]

    assert sorted(word["succeeded"] for word in told) == [5, 7]
    assert 0.3 < cost.cpu_s < 1.0
    assert cost.elapsed_s > 0.15
    assert 5 < cost.peak_mb < 100
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_one_that_ends_is_told_with_its_last_words(tmp_path: Path) -> None:
    with (
        drivers(["import sys; sys.exit('no such account')"], log=tmp_path / "log") as running,
        pytest.raises(DriverFailedError, match="It ended: no such account"),
    ):
        running.wait_until_ready(within_s=20)


def test_one_that_never_comes_to_an_end_is_given_up(tmp_path: Path) -> None:
    with (
        drivers(["input()"], log=tmp_path / "log") as running,
        pytest.raises(DriverFailedError, match="It did not get ready within 0 s"),
    ):
        running.wait_until_ready(within_s=0.3)


def test_a_job_is_cut_into_batches_of_five_hundred() -> None:
    tokens = [str(number) for number in range(1_001)]

    batches = list(Job("account.json", "title", "body", tokens).batches())

    assert [len(batch) for batch in batches] == [500, 500, 1]
    assert [token for batch in batches for token in batch] == tokens


def test_one_trouble_reads_alike_whatever_its_numbers() -> None:
    class Response:
        def __init__(self, stream: int) -> None:
            self.success = stream == 0
            self.exception = ValueError(f"stream {stream} reset")

    told = Told()
    told.add([Response(0), Response(17), Response(1_019)])

    assert (told.succeeded, told.failed) == (1, 2)
    assert told.errors == {"ValueError('stream … reset')": 2}
