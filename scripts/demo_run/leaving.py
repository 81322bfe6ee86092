"""How a program that has started others leaves when it is told to."""

from __future__ import annotations

import signal
import sys
from types import FrameType

TOLD_BY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def leave_in_order_when_told() -> None:
    """Have SIGTERM and a closed terminal unwind as Ctrl-C does: what was started is stopped.

    Only the first of them is heard. A Ctrl-C reaches all programs of a terminal, and those that
    started others tell them again: a second signal would break off their leaving.
    """
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, _unwind)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as it is in the background
        signal.signal(signal.SIGINT, _unwind)


def hear_no_more() -> None:
    """Ignore from now on whatever tells the program to leave: it does."""
    for signum in TOLD_BY:
        signal.signal(signum, signal.SIG_IGN)


def _unwind(signum: int, _frame: FrameType | None) -> None:
    hear_no_more()
    if signum == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + signum)
