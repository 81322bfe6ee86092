"""The disk of the servers is full for a while."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from loadtests.crash.campaign import Campaign
from loadtests.crash.result import Result, judged, longest_pause_s
from loadtests.crash.scenarios.workers import launch_both
from loadtests.crash.system import System
from loadtests.waiting import wait_until
from scripts.demo_run.errors import DemoError

LOUDLY = "No space left on device"
CHUNK = 1 << 20


@contextlib.contextmanager
def small_disk(folder: Path, *, megabytes: int) -> Iterator[None]:
    """Have a file system of this size in `folder` within the block; asks for root on Linux.

    Raises:
        PermissionError: this process may not mount one.
    """
    folder.mkdir(mode=0o755)
    options = f"size={megabytes}m,mode=755"
    mount = shutil.which("mount") or "/bin/mount"
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", options, "pushcore-crash", str(folder)],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        folder.rmdir()
        raise PermissionError(done.stderr.strip())
    try:
        yield
    finally:
        subprocess.run([shutil.which("umount") or "/bin/umount", str(folder)], check=True)


def full_disk(system: System, disk: Path) -> Result:
    """Fill the disk of PostgreSQL and Redis, and free it a while later: sending goes on.

    It pauses loudly, as far as what is left to write does not fit into the servers' files as they
    are. PostgreSQL may go down by itself when it cannot write its log; then it is started again.
    No worker may, as nobody would start it: a campaign launched afterwards is sent by them.
    """
    later = system.draft(system.audience("later", devices=system.scale.devices // 8))
    workers = list(system.workers)
    campaigns = launch_both(system)
    ballast = disk / "ballast"
    _fill(ballast)
    wait_until(lambda: _is_loud(system), within_s=60, what="the full disk is told of")
    time.sleep(system.scale.down_s)
    ballast.unlink()
    system.wait_for_postgres()
    wait_until(lambda: _is_launched(later), within_s=60, what="the API takes a launch")
    result = judged(system, *campaigns, later, repeats=0)
    result.demand(all(worker.is_alive for worker in workers), "a worker ended")
    # For how long nothing is sent depends on the room that PostgreSQL still has inside its files.
    result.notes.append(f"longest pause {longest_pause_s(system):.1f} s")
    return result


def _is_launched(campaign: Campaign) -> bool:
    with contextlib.suppress(DemoError):
        campaign.launch()
    return campaign.status != "draft"


def _fill(ballast: Path) -> None:
    """Write until nothing more fits."""
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(CHUNK))
    with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(os.sysconf("SC_PAGESIZE")))


def _is_loud(system: System) -> bool:
    return any(worker.said(LOUDLY) or worker.said("database is away") for worker in system.workers)
