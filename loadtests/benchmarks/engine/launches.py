"""How long `POST …/send/` takes until the provider accepts the first message, again and again.

`python -m loadtests.benchmarks.engine.launches --devices 1000000 --launches 10` prints one JSON
object. Each campaign is to everybody; it is cancelled once it has begun to arrive. When a message
was accepted is the emulator's word; both clocks are the machine's own.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

from loadtests.benchmarks.engine.program import parser_of, run
from loadtests.benchmarks.engine.system import cancel, create, launch, running_system, wait_for
from scripts.demo_run.stack import Stack

FIRST_WITHIN_S = 60.0


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Launch one campaign after another; the first is not counted: it opens connections."""
    with running_system(options) as stack:
        times = [_launch(stack) for _ in range(options.launches + 1)][1:]
    answered, accepted = zip(*times, strict=True)
    return {
        "launches": len(times),
        "answered_ms": round(statistics.median(answered) * 1e3, 1),
        "first_accepted_ms": round(statistics.median(accepted) * 1e3, 1),
        "first_accepted_worst_ms": round(max(accepted) * 1e3, 1),
    }


def _launch(stack: Stack) -> tuple[float, float]:
    """Return the seconds until the API answered, and until the first message was accepted."""
    control = stack.emulator.control
    control.reset()
    campaign = create(stack, priority="high")
    asked_at = launch(stack, campaign)
    answered_at = time.time()
    first: float = wait_for(
        stack,
        lambda: control.stats()["first_accept_at"],
        within_s=FIRST_WITHIN_S,
        what="a message accepted",
        every_s=0.05,
    )
    cancel(stack, campaign)
    return answered_at - asked_at, first - asked_at


def main() -> None:
    """Measure as the command line says; print the result as JSON."""
    parser = parser_of("loadtests.benchmarks.engine.launches")
    parser.set_defaults(quota=600_000)
    parser.add_argument("--launches", type=int, default=5)
    options = parser.parse_args()
    run(lambda: measure(options))


if __name__ == "__main__":
    main()
