"""The programs that the demo starts: each writes a log, none outlives the demo."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from scripts.demo_run.errors import DemoError
from scripts.embedded.folders import CHECKOUT
from scripts.embedded.process import end_with_parent, kill_tree, last_line

STOP_TIMEOUT_S = 8.0
"""How long a program may take to leave; after that it is killed with all below it."""


@dataclass(frozen=True, slots=True)
class Child:
    """One started program."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    stop_signal: signal.Signals


class Children:
    """Programs that end, the last started first, with the `with` block or with this process."""

    def __init__(self, *, logs: Path, environment: Mapping[str, str]) -> None:
        self._logs = logs
        self._environment = dict(environment)
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for child in reversed(self._children):
            _stop(child)

    def start(
        self, name: str, *arguments: str, stop_signal: signal.Signals = signal.SIGTERM
    ) -> Child:
        """Start `python -m <arguments>`, its output going to `<name>.log`.

        It has a session of its own: a terminal's Ctrl-C is for the demo, which stops the rest.
        """
        log = self._logs / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=CHECKOUT,
                env=self._environment,
                start_new_session=True,
                preexec_fn=end_with_parent(stop_signal),  # noqa: PLW1509 - takes no lock
            )
        child = Child(name, process, log, stop_signal)
        self._children.append(child)
        return child

    def check(self) -> None:
        """Make sure that all of them run.

        Raises:
            DemoError: one ended; with the last line of its log.
        """
        for child in self._children:
            if child.process.poll() is not None:
                message = f"The {child.name} ended: {last_line(child.log)} (log: {child.log})"
                raise DemoError(message)


def _stop(child: Child) -> None:
    if child.process.poll() is None:
        child.process.send_signal(child.stop_signal)
        try:
            child.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            kill_tree(child.process.pid)
    child.process.wait()
