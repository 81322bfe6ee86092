"""The processes of one rival: started, set off at once, measured, and ended."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from loadtests.benchmarks.rivals.drivers.driving import MARK
from scripts.demo_run.memory import memory_of
from scripts.embedded.process import end_with_parent, kill_tree, last_line

SAMPLE_S = 0.25


class DriverFailedError(Exception):
    """A driver ended, or did not get ready or done in time; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What all drivers of one rival took together."""

    elapsed_s: float
    """From setting them off to the last one's last word."""
    cpu_s: float
    """User and system time of their processes in that time, children included."""
    peak_mb: float
    """Memory of all of them at its largest, pages that they share counted once."""


class Drivers:
    """The drivers of one rival, which end with the `with` block."""

    def __init__(
        self, commands: Sequence[Sequence[str]], *, environment: Mapping[str, str], log: Path
    ) -> None:
        self._commands = commands
        self._environment = dict(environment)
        self._log = log
        self._processes: list[subprocess.Popen[str]] = []
        self._listeners: list[threading.Thread] = []
        self._words: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._peak_bytes = 0

    def __enter__(self) -> Self:
        with self._log.open("w", encoding="utf-8") as errors:
            for command in self._commands:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    env=self._environment,
                    start_new_session=True,
                    preexec_fn=end_with_parent(signal.SIGKILL),  # noqa: PLW1509 - takes no lock
                )
                listener = threading.Thread(target=self._listen, args=[process], daemon=True)
                listener.start()
                self._processes.append(process)
                self._listeners.append(listener)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for process, listener in zip(self._processes, self._listeners, strict=True):
            kill_tree(process.pid)
            process.wait()
            listener.join()  # it has come to the end of what it reads
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()

    def wait_until_ready(self, *, within_s: float) -> None:
        """Wait until all are. Raises DriverFailedError."""
        self._hear(within_s=within_s, what="get ready")

    def send(self, *, within_s: float) -> tuple[Cost, list[dict[str, Any]]]:
        """Set all off; return what they took, and what each was told. Raises DriverFailedError."""
        cpu_before_s, began_at = self._cpu_s(), time.monotonic()
        for process in self._processes:
            assert process.stdin is not None  # noqa: S101  for the type checker
            process.stdin.write("go\n")
            process.stdin.flush()
        told = self._hear(within_s=within_s, what="finish")
        elapsed_s = time.monotonic() - began_at
        cost = Cost(elapsed_s, self._cpu_s() - cpu_before_s, self._peak_bytes / 2**20)
        return cost, told

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None  # noqa: S101  for the type checker
        for line in process.stdout:
            if line.startswith(MARK):
                self._words.put(json.loads(line.removeprefix(MARK)))
        self._words.put(None)

    def _hear(self, *, within_s: float, what: str) -> list[dict[str, Any]]:
        """Return the next word of each; look at their memory meanwhile."""
        deadline = time.monotonic() + within_s
        words: list[dict[str, Any]] = []
        while len(words) < len(self._processes):
            if time.monotonic() > deadline:
                raise DriverFailedError(f"It did not {what} within {within_s:.0f} s.")
            try:
                word = self._words.get(timeout=SAMPLE_S)
            except queue.Empty:
                self._look_at_memory()
                continue
            if word is None:
                raise DriverFailedError(f"It ended: {last_line(self._log)}")
            words.append(word)
        self._look_at_memory()
        return words

    def _look_at_memory(self) -> None:
        now = sum(memory_of(process) for process in self._tree())
        self._peak_bytes = max(self._peak_bytes, now)

    def _cpu_s(self) -> float:
        # A driver ends only when its stdin does, so none is missing; the children that it had
        # and waited for are in its own account (times(2)).
        return sum(sum(process.cpu_times()[:4]) for process in self._tree())

    def _tree(self) -> list[psutil.Process]:
        roots = [psutil.Process(process.pid) for process in self._processes]
        return roots + [child for root in roots for child in root.children(recursive=True)]
