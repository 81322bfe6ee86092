"""Child processes that end with their parent, and those that a killed parent left behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from scripts.embedded.errors import ServersError
from scripts.embedded.folders import Account, run_as

PR_SET_PDEATHSIG = 1
"""From <sys/prctl.h>, see prctl(2); Linux only."""
LEFTOVER_WAIT_S = 30.0
"""How long a server whose parent died may take to write its data and leave."""


def end_with_parent(signum: signal.Signals) -> Callable[[], None] | None:
    """Return what a child runs before exec, so that it gets `signum` when its parent dies.

    None off Linux: there the pid file lets the next start end what was left behind.
    """
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # loaded here: after the fork is too late
    parent = os.getpid()

    def ask_kernel() -> None:
        prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask_kernel


def spawn_server(
    command: Sequence[str],
    *,
    account: Account | None,
    log: Path,
    death_signal: signal.Signals,
    config: str = "",
) -> subprocess.Popen[bytes]:
    """Start a server that writes to `log`, reads `config` on stdin and ends with this process.

    It gets a session of its own: a Ctrl-C in the terminal is for whoever owns the servers, who
    stops them last. The log of the run before is kept beside it as `<log>.previous`.
    """
    with contextlib.suppress(FileNotFoundError):
        log.rename(log.with_name(log.name + ".previous"))
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            start_new_session=True,
            preexec_fn=end_with_parent(death_signal),  # noqa: PLW1509 - no threads hold locks it needs
            **run_as(account),
        )
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write(config.encode())
    return process


def last_line(log: Path) -> str:
    """Return the last non-empty line of a log; "" where there is none."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def wait_until_ready(
    process: subprocess.Popen[bytes],
    is_ready: Callable[[], bool],
    *,
    what: str,
    log: Path,
    timeout_s: float,
) -> None:
    """Ask `is_ready` until it says yes.

    Raises:
        ServersError: the process ended, or `timeout_s` passed; with the log's last line.
    """
    deadline = time.monotonic() + timeout_s
    while not is_ready():
        if process.poll() is not None:
            message = f"{what} ended while starting: {last_line(log)} (log: {log})"
            raise ServersError(message)
        if time.monotonic() > deadline:
            message = f"{what} did not answer within {timeout_s:.0f} s (log: {log})"
            raise ServersError(message)
        time.sleep(0.02)


def end_leftover(pid_file: Path, *, folder: Path, stop_signal: signal.Signals) -> None:
    """End the server that a killed owner left in `folder`, and forget a stale pid file.

    The caller holds the profile's claim, so whatever still runs has no owner any more. A process
    id may belong to a stranger by now (after a reboot, in a container): it is ours only if it
    works in `folder`.
    """
    try:
        process = psutil.Process(int(pid_file.read_text(encoding="ascii").split("\n")[0]))
        is_ours = Path(process.cwd()) == folder.resolve()
    except (OSError, ValueError, psutil.Error):
        is_ours = False
    if is_ours:
        _end(process, stop_signal)
    pid_file.unlink(missing_ok=True)


def _end(process: psutil.Process, stop_signal: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(stop_signal)
        try:
            process.wait(LEFTOVER_WAIT_S)
        except psutil.TimeoutExpired:
            kill_tree(process.pid)


def kill_tree(pid: int) -> None:
    """SIGKILL a process and all below it, and wait until none of them is left."""
    try:
        root = psutil.Process(pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in tree:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    _gone, alive = psutil.wait_procs(tree[1:], timeout=10)
    if alive:
        message = f"Processes of {pid} survive SIGKILL: {[process.pid for process in alive]}."
        raise ServersError(message)
