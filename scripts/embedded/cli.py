"""`scripts/services`: start, stop and look at the embedded servers."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from scripts.embedded import ServersError, claims
from scripts.embedded.folders import CHECKOUT, server_account
from scripts.embedded.process import last_line
from scripts.embedded.servers import profile_folder
from scripts.embedded.supervisor import OWNER

STOP_TIMEOUT_S = 90.0
HELP = """\
Real PostgreSQL and Valkey for development, on 127.0.0.1, with nothing to install.

  scripts/services up                     start them in the background (or find them running)
  export $(scripts/services up)           … and give this shell DATABASE_URL and REDIS_URL
  scripts/services status --json          what runs, and where its data lies
  scripts/services down                   stop them; the data stays

To run tests one by one:
  export $(scripts/services up --profile test); .venv/bin/python -m pytest tests/…

Each profile has its own servers and data, in .data/<profile> (root, where `nobody` cannot reach
the checkout: /var/lib/pushcore/<id>/<profile>). `demo` and `test` belong to scripts/demo and
scripts/test; any other name makes a set of your own. PUSHCORE_SERVERS=system takes the programs
installed on this machine instead.
"""


def main(arguments: list[str]) -> int:
    """Run one verb; return the exit status: 0 done, 1 failed, 3 nothing runs (status)."""
    parser = argparse.ArgumentParser(
        prog="scripts/services",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("verb", choices=["up", "down", "status"])
    parser.add_argument("--profile", default="demo", help="which set of servers (default: demo)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    asked = parser.parse_args(arguments)
    verbs = {"up": _up, "down": _down, "status": _status}
    try:
        folder = profile_folder(asked.profile, account=server_account())
        return verbs[asked.verb](folder, as_json=asked.json)
    except ServersError as exc:
        print(exc, file=sys.stderr)
        return 1


def _up(folder: Path, *, as_json: bool) -> int:
    running = _running(folder) or _start_supervisor(folder)
    urls = {"DATABASE_URL": running.database_url, "REDIS_URL": running.redis_url}
    if as_json:
        print(json.dumps(urls))
    else:
        for name, url in urls.items():
            print(f"{name}={url}")
    return 0


def _down(folder: Path, *, as_json: bool) -> int:
    running = _running(folder)
    if running is None:
        _say("Nothing was running.", {"stopped": False}, as_json=as_json)
        return 0
    if running.owner != OWNER:
        message = (
            f"The servers belong to {running.owner} (process {running.owner_pid}) and end with it."
        )
        raise ServersError(message)
    os.kill(running.owner_pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while claims.is_claimed(folder):
        if time.monotonic() > deadline:
            message = f"The servers in {folder} do not stop (process {running.owner_pid})."
            raise ServersError(message)
        time.sleep(0.05)
    _say("Stopped; the data stays.", {"stopped": True}, as_json=as_json)
    return 0


def _status(folder: Path, *, as_json: bool) -> int:
    running = _running(folder)
    if running is None:
        _say(f"Nothing runs (data: {folder}).", {"running": False}, as_json=as_json)
        return 3
    facts = {
        "running": True,
        "owner": running.owner,
        "owner_pid": running.owner_pid,
        "database_url": running.database_url,
        "redis_url": running.redis_url,
        "data": str(folder),
    }
    _say("\n".join(f"{name}: {value}" for name, value in facts.items()), facts, as_json=as_json)
    return 0


def _running(folder: Path) -> claims.Running | None:
    """Return what runs; waits for an owner that is still starting."""
    return claims.wait_for_owner(folder) if claims.is_claimed(folder) else None


def _start_supervisor(folder: Path) -> claims.Running:
    log = folder / "logs" / "supervisor.log"
    with log.open("wb") as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "scripts.embedded.supervisor", folder.name],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=CHECKOUT,
            start_new_session=True,  # the terminal's Ctrl-C and hang-up are not for it
        )
    deadline = time.monotonic() + claims.READY_TIMEOUT_S
    while time.monotonic() < deadline:
        ended = supervisor.poll() is not None
        if running := _running(folder):
            return running
        if ended:
            reason = last_line(log) or f"no log could be written in {folder}: is the disk full?"
            message = f"The servers did not start: {reason}"
            raise ServersError(message)
        time.sleep(0.05)
    message = f"The servers were not ready in time; see {log.parent}."
    raise ServersError(message)


def _say(sentence: str, facts: dict[str, object], *, as_json: bool) -> None:
    print(json.dumps(facts) if as_json else sentence)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
