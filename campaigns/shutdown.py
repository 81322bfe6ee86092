"""A worker that is told to leave starts no more messages; what it holds goes back to the ledger.

Celery's warm shutdown (SIGTERM) waits for running tasks without an end, and a batch may wait a
minute for its turn in the quota: longer than a deploy gives it before SIGKILL, which would leave
messages in flight that nobody knows the fate of.
"""

from __future__ import annotations

import mmap

_shared = mmap.mmap(-1, 1)
"""One byte that the pool's processes share with the worker they were forked from: the signal
reaches that one alone."""


def begin() -> None:
    """Tell all processes of this worker that it is to leave."""
    _shared[0] = 1


def has_begun() -> bool:
    """Whether this process's worker is to leave."""
    return _shared[0] == 1
