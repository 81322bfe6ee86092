"""Who of the engine's processes used the processors for how long, and how much memory workers took.

Processor time is what a process used since its start, so the difference of two readings is exact
for every process that lives at both; the others are read each second.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from types import TracebackType
from typing import Self

import psutil

from scripts.demo_run.memory import memory_of
from scripts.demo_run.repeating import Repeating

INTERVAL_S = 1.0


class Kind(StrEnum):
    """What a process is there for."""

    SENDING = "sending processes"
    WORKER_MAIN = "Celery's main process"
    EMULATOR = "emulator"
    POSTGRES = "PostgreSQL"
    REDIS = "Valkey"
    WEB = "web server"
    BEAT = "beat"
    BENCHMARK = "the benchmark itself"
    ELSEWHERE = "kernel and other programs"
    """What the processors did on nobody's account above: on a machine left alone, the kernel."""


NOT_OURS = (Kind.EMULATOR, Kind.BENCHMARK, Kind.ELSEWHERE)
"""Costs that no engine has whose provider is elsewhere."""


def kind_of(command: Sequence[str], parent: Sequence[str]) -> Kind:
    """Return what a process is, by its command line and its parent's."""
    words = " ".join(command)
    program = command[0] if command else ""
    if program.startswith("postgres:") or program.endswith("/postgres"):
        return Kind.POSTGRES
    if "valkey-server" in program or "redis-server" in program:
        return Kind.REDIS
    if "loadtests.fcm_emulator" in command:
        return Kind.EMULATOR
    if "celery" in command:
        if "worker" not in command:
            return Kind.BEAT
        # A forked child keeps the command line of the process that it came from.
        return Kind.SENDING if "worker" in parent and "celery" in parent else Kind.WORKER_MAIN
    return Kind.WEB if "granian" in words else Kind.BENCHMARK


class Processors(Repeating):
    """Reads this process and all below it until the `with` block ends."""

    def __init__(self) -> None:
        super().__init__(interval_s=INTERVAL_S)
        self.peak_bytes = 0
        """Of all worker processes together."""
        self._root = psutil.Process()
        self._used: dict[tuple[int, float], tuple[Kind, float]] = {}
        self._busy_s = 0.0
        """Of all processors, by the system's own account."""

    def __enter__(self) -> Self:
        self._once()
        self._before, self._busy_before_s = self._totals(), self._busy_s
        return super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, traceback)
        self._once()

    def seconds(self) -> dict[Kind, float]:
        """Return the processor seconds of each kind since the block began."""
        totals = self._totals()
        used = {kind: max(0.0, totals[kind] - self._before[kind]) for kind in Kind}
        busy_s = self._busy_s - self._busy_before_s
        return used | {Kind.ELSEWHERE: max(0.0, busy_s - sum(used.values()))}

    def _once(self) -> None:
        memory = 0
        self._busy_s = _busy_s()
        for process in (self._root, *self._root.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                key = (process.pid, process.create_time())
                known = self._used.get(key)
                kind = known[0] if known else self._kind(process)
                times = process.cpu_times()
                self._used[key] = (kind, times.user + times.system)
                if kind in (Kind.SENDING, Kind.WORKER_MAIN):
                    memory += memory_of(process)
        self.peak_bytes = max(self.peak_bytes, memory)

    @staticmethod
    def _kind(process: psutil.Process) -> Kind:
        parent = process.parent()
        return kind_of(process.cmdline(), parent.cmdline() if parent else ())

    def _totals(self) -> Counter[Kind]:
        totals: Counter[Kind] = Counter()
        for kind, seconds in list(self._used.values()):
            totals[kind] += seconds  # type: ignore[assignment]  # a Counter of seconds
        return totals


def _busy_s() -> float:
    """Return how long all processors together have worked since the machine's start."""
    times = psutil.cpu_times()
    # The last four are Linux's; what guests used is in `user` already.
    fields = ("user", "system", "nice", "irq", "softirq", "steal")
    return float(sum(getattr(times, field, 0.0) for field in fields))
