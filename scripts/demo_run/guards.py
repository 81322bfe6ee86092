"""What a run on a database of its own asks for: to be alone there, and room on the disk."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from scripts.demo_run.errors import DemoError

BYTES_PER_DEVICE = 700
"""Measured: 470 for the row and its indexes; the rest for ledger, changed rows and statistics."""
WAL_BYTES_PER_DEVICE, WAL_BYTES_MOST = 1_000, 2_500_000_000
"""The write-ahead log: measured 900 per device, and bounded by max_wal_size and some more."""
BYTES_AT_LEAST = 200_000_000
"""An empty database, and logs."""
BYTES_TO_GO_ON = 20_000_000
"""Below that, PostgreSQL cannot write its next segment of log (16 MB)."""


@contextlib.contextmanager
def alone(folder: Path, *, what: str = "scripts/demo") -> Iterator[None]:
    """Refuse a second run of the script `what` on one database: both would send to its devices.

    Raises:
        DemoError: another one runs.
    """
    with (folder / "demo.lock").open("w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"Another {what} runs on this database: wait for it, or end it."
            raise DemoError(message) from None
        yield


def refuse_small_disk(folder: Path, devices: int) -> None:
    """Refuse what would not fit.

    Raises:
        DemoError: the disk has less room than so many devices need.
    """
    if os.environ.get("DATABASE_URL"):
        return  # that server's disk is not ours to judge
    wal = min(devices * WAL_BYTES_PER_DEVICE, WAL_BYTES_MOST)
    needed = BYTES_AT_LEAST + devices * BYTES_PER_DEVICE + wal
    free = shutil.disk_usage(folder).free
    if free < needed:
        message = (
            f"{devices:,} devices need about {needed / 1e9:.1f} GB in {folder}, and only"
            f" {free / 1e9:.1f} GB are free."
        )
        raise DemoError(message)


def refuse_full_disk(folder: Path) -> None:
    """Give up where the engine would wait, patiently, until somebody makes room.

    Raises:
        DemoError: the disk is full.
    """
    if shutil.disk_usage(folder).free < BYTES_TO_GO_ON:
        message = f"The disk that holds {folder} is full."
        raise DemoError(message)
