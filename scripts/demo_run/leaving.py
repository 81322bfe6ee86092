"""How a program that has started others leaves when it is told to."""

from __future__ import annotations

import signal
import sys
from types import FrameType


def leave_in_order_when_told() -> None:
    """Have SIGTERM and a closed terminal unwind as Ctrl-C does: what was started is stopped."""
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, _unwind)


def _unwind(signum: int, _frame: FrameType | None) -> None:
    sys.exit(128 + signum)
