from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from scripts.embedded.folders import CHECKOUT, server_account
from scripts.embedded.servers import profile_folder


class Services:
    """`scripts/services` on a profile of this test's own."""

    def __init__(self) -> None:
        self.profile = f"selftest-{os.getpid()}"
        self.environ = os.environ.copy()

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "scripts.embedded.cli", *arguments, "--profile", self.profile],
            check=False,
            capture_output=True,
            text=True,
            cwd=CHECKOUT,
            env=self.environ,
        )


@pytest.fixture
def services() -> Iterator[Services]:
    services = Services()
    yield services
    services("down")
    shutil.rmtree(profile_folder(services.profile, account=server_account()))


def test_up_twice_gives_the_same_servers_and_down_ends_them(services: Services) -> None:
    first, second = services("up"), services("up")
    assert first.returncode == second.returncode == 0
    assert first.stdout == second.stdout
    database, redis = first.stdout.splitlines()
    assert database.startswith("DATABASE_URL=postgres://pushcore:")
    assert redis.startswith("REDIS_URL=redis://:")

    status = json.loads(services("status", "--json").stdout)
    assert (status["running"], status["owner"]) == (True, "scripts/services")
    assert f"DATABASE_URL={status['database_url']}" == database

    below = psutil.Process(status["owner_pid"]).children(recursive=True)
    assert services("down").stdout == "Stopped; the data stays.\n"
    assert psutil.wait_procs(below, timeout=10)[1] == []


def test_ups_servers_are_the_embedded_ones_whatever_the_environment_says(
    services: Services,
) -> None:
    services.environ |= {"DATABASE_URL": "postgres://elsewhere/db", "REDIS_URL": "redis://e/1"}
    urls = json.loads(services("up", "--json").stdout)
    assert "127.0.0.1" in urls["DATABASE_URL"]
    assert "127.0.0.1" in urls["REDIS_URL"]


def test_status_without_servers_says_so_and_down_has_nothing_to_do(services: Services) -> None:
    status = services("status")
    assert (status.returncode, status.stdout[:13]) == (3, "Nothing runs ")
    down = services("down")
    assert (down.returncode, down.stdout) == (0, "Nothing was running.\n")


def test_a_killed_supervisor_leaves_nothing_that_hinders_the_next(services: Services) -> None:
    first = services("up").stdout
    os.kill(json.loads(services("status", "--json").stdout)["owner_pid"], signal.SIGKILL)
    again = services("up")
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.splitlines()[0].split(":")[2] == first.splitlines()[0].split(":")[2]


def test_a_failure_to_start_is_one_sentence(services: Services) -> None:
    services.environ["PUSHCORE_SERVERS"] = "docker"
    up = services("up")
    assert up.returncode == 1
    assert up.stderr == (
        "The servers did not start: PUSHCORE_SERVERS may be 'system' or unset, not 'docker'.\n"
    )


def test_a_wrong_verb_is_refused(services: Services) -> None:
    wrong = services("launch")
    assert wrong.returncode == 2
    assert "invalid choice: 'launch'" in wrong.stderr
