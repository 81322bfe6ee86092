"""The engine's own processes: workers, beat and web server, to be killed and started again."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from dataclasses import dataclass

import psutil

from loadtests.waiting import wait_until
from scripts.demo_run.children import Child, Children
from scripts.embedded.process import kill_tree

START_TIMEOUT_S = 180.0
QUEUES = "rescue,high_priority,notices,default,low_priority"
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Worker:
    """One Celery worker: its main process and the pool's children that send."""

    child: Child

    @property
    def pids(self) -> list[int]:
        """The pool's processes, as they are now."""
        try:
            return [one.pid for one in psutil.Process(self.child.process.pid).children()]
        except psutil.NoSuchProcess:
            return []

    @property
    def is_alive(self) -> bool:
        """Whether its main process runs."""
        return self.child.process.poll() is None

    def kill(self) -> None:
        """SIGKILL all of it at once."""
        kill_tree(self.child.process.pid)
        self.child.process.wait()

    def terminate(self) -> None:
        """SIGTERM its main process, as a rolling deploy does."""
        self.child.process.send_signal(signal.SIGTERM)

    def said(self, words: str) -> bool:
        """Whether its log has these words."""
        return words in self.child.log.read_text(encoding="utf-8", errors="replace")


def start_worker(children: Children, *, processes: int) -> Worker:
    """Start a worker on all queues; `wait_until_ready` says when it takes messages."""
    name = f"worker-{next(_numbers)}"
    child = children.start(
        name,
        *("celery", "--app", "settings.celery", "worker"),
        *("--pool", "prefork", "--concurrency", str(processes), "--queues", QUEUES),
        *("--hostname", f"{name}@localhost", "--loglevel", "INFO"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        stop_signal=signal.SIGKILL,  # what they leave undone is of no use to anybody
    )
    return Worker(child)


def wait_until_ready(worker: Worker) -> None:
    """Wait until the worker takes messages.

    Raises:
        TooLateError: it does not.
    """

    def is_ready() -> bool:
        if not worker.is_alive:
            message = f"The worker ended: see {worker.child.log}"
            raise RuntimeError(message)
        return worker.said(" ready.")

    wait_until(is_ready, within_s=START_TIMEOUT_S, what="the worker is ready")


def start_beat(children: Children) -> Child:
    """Start beat."""
    return children.start(
        f"beat-{next(_numbers)}",
        *("celery", "--app", "settings.celery", "beat", "--pidfile", ""),
        stop_signal=signal.SIGKILL,
    )


def start_web(children: Children, *, port: int) -> Child:
    """Start the web server."""
    return children.start(
        f"web-{next(_numbers)}",
        *("granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", "1", "--blocking-threads", "8", "--no-ws", "settings.wsgi:application"),
        stop_signal=signal.SIGTERM,  # its main process takes its own workers along
    )


def kill(child: Child) -> None:
    """SIGKILL a program and all below it."""
    kill_tree(child.process.pid)
    child.process.wait()


def freeze(pid: int) -> None:
    """SIGSTOP: the process is there, and does nothing."""
    os.kill(pid, signal.SIGSTOP)


def thaw(pid: int) -> None:
    """SIGCONT: the process goes on as if nothing had been."""
    os.kill(pid, signal.SIGCONT)


def kill_process(pid: int) -> None:
    """SIGKILL one process."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
