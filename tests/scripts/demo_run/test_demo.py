"""The whole demo as a person starts it, on servers of this session's own."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import psutil
import psycopg2
import pytest

from scripts.embedded import Servers
from scripts.embedded.folders import CHECKOUT, server_account
from scripts.embedded.servers import profile_folder

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(400)]
"""Each starts the whole engine, some twice: on an overloaded machine that alone takes a minute."""


def as_in_a_terminal() -> None:
    """Let Ctrl-C reach it, even where this suite runs in the background, deaf to it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Demo:
    def __init__(self, servers: Servers) -> None:
        self.database_url = servers.database_url
        digest = hashlib.sha256(servers.database_url.encode()).hexdigest()[:8]
        self.folder = profile_folder(f"demo-{digest}", account=server_account())
        self.environ = {
            key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"
        } | {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}

    @contextlib.contextmanager
    def start(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            [sys.executable, "-m", "scripts.demo_run", "--workers", "2", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=CHECKOUT,
            env=self.environ,
            preexec_fn=as_in_a_terminal,  # noqa: PLW1509 - takes no lock
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, *arguments: str) -> tuple[int, str, str]:
        with self.start(*arguments) as process:
            out, err = process.communicate()
        return process.returncode, out, err

    def statuses(self) -> list[str]:
        with (
            contextlib.closing(psycopg2.connect(self.database_url)) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT status FROM campaigns_pushcampaign ORDER BY id")
            return [status for (status,) in cursor.fetchall()]


def everything_started_by(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Emulator, Celery with its two workers, beat, the web server with its one."""
    demo = psutil.Process(process.pid)
    while len(started := demo.children(recursive=True)) < 7:
        assert process.poll() is None, "it ended before everything had started"
    return started


def read_until(process: subprocess.Popen[str], words: str) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return str(line)
    raise AssertionError(f"it never said {words!r}")


@pytest.fixture
def demo(own_servers: Servers) -> Iterator[Demo]:
    demo = Demo(own_servers)
    yield demo
    shutil.rmtree(demo.folder)


def test_accounts_for_every_device_and_leaves_nothing_behind(demo: Demo) -> None:
    arguments = ["--devices", "2000", "--outcomes", "unregistered=0.1", "--json"]
    with demo.start(*arguments) as process:
        read_until(process, "launched")
        started = everything_started_by(process)
        out, err = process.communicate()
    assert (process.returncode, err.splitlines()[-1]) == (
        0,
        f"· Which devices were deactivated: {demo.folder}/deactivated.tsv",
    )
    account = json.loads(out.splitlines()[-1])
    dead = account["invalid"]
    assert 120 < dead < 280
    assert {key: account[key] for key in list(account)[:11]} == {
        "devices": 2000,
        "total_recipients": 2000,
        "success": 2000 - dead,
        "failure": dead,
        "invalid": dead,
        "unknown": 0,
        "skipped": 0,
        "deactivated": dead,
        "accepted": 2000 - dead,
        "accepted_twice": 0,
        "missing": 0,
    }
    assert list(account)[11:] == ["elapsed_s", "messages_per_s", "peak_rss_mb"]
    assert all(account[key] > 0 for key in list(account)[11:])
    assert len((demo.folder / "deactivated.tsv").read_text().splitlines()) == dead
    assert psutil.wait_procs(started, timeout=0)[1] == []


def test_ctrl_c_stops_everything_and_the_campaign_and_meanwhile_nobody_else_may_start(
    demo: Demo,
) -> None:
    slow = ["--devices", "20000", "--quota", "12000", "--json"]
    with demo.start(*slow) as process:
        read_until(process, "launched")
        second = demo.run("--devices", "10")
        assert (second[0], second[2].splitlines()[-1]) == (
            1,
            "Another scripts/demo runs on this database: wait for it, or end it.",
        )
        started = everything_started_by(process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "Interrupted; everything is stopped."
    assert psutil.wait_procs(started, timeout=0)[1] == []
    assert demo.statuses()[-1] == "cancelled"


def test_a_killed_demo_takes_everything_with_it_and_the_next_cancels_its_campaign(
    demo: Demo,
) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux tells a child that its parent died")
    with demo.start("--devices", "20000", "--quota", "12000", "--json") as process:
        read_until(process, "launched")
        started = everything_started_by(process)
        process.kill()
        process.communicate()
    assert psutil.wait_procs(started, timeout=30)[1] == []
    assert demo.statuses()[-1] == "processing"
    status, out, err = demo.run("--devices", "100", "--outcomes", "", "--json")
    assert status == 0, err
    assert json.loads(out)["success"] == 100
    assert demo.statuses()[-2:] == ["cancelled", "completed"]


def test_a_taken_port_is_one_sentence(demo: Demo) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert demo.run("--port", str(port)) == (
            1,
            "",
            f"Port {port} on 127.0.0.1 is in use: choose another with --port.\n",
        )
