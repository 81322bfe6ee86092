"""How much memory the workers take, all processes together."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import psutil

from scripts.demo_run.repeating import Repeating

INTERVAL_S = 1.0


class PeakMemory(Repeating):
    """Samples a process and all below it until the `with` block ends.

    Forked workers share most of their pages, so the sum of their resident sizes counts those
    again and again. On Linux each page is counted once (PSS: proportional set size, from
    /proc/<pid>/smaps_rollup, see proc(5)); elsewhere it is the sum of the resident sizes.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(interval_s=INTERVAL_S)
        self.peak_bytes = 0
        self._root = psutil.Process(pid)

    def _once(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            tree = [self._root, *self._root.children(recursive=True)]
            self.peak_bytes = max(self.peak_bytes, sum(map(memory_of, tree)))


def memory_of(process: psutil.Process) -> int:
    """Return a process's share of memory in bytes; 0 once it is gone."""
    try:
        rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii")
        if found := re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE):
            return int(found[1]) * 1024
    except OSError:
        pass  # not Linux, or gone: the next line tells which
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
