"""Measure one rival: `python -m loadtests.benchmarks.rivals.measure fcm-django --processes 4`.

Prints one JSON object: what sending cost, or, with `--trouble`, what became of the messages.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from typing import Any

from loadtests.benchmarks.rivals.catalogue import RIVALS, Rival, rival_named
from loadtests.benchmarks.rivals.environments import NotInstalledError, command_of
from loadtests.benchmarks.rivals.figures import TROUBLE, InexactError, Outcome, account, rates
from loadtests.benchmarks.rivals.isolation import NoIsolationError, way_in
from loadtests.benchmarks.rivals.room import ROOT, Task

SEND_WITHIN_S = 100.0


class MeasuringFailedError(Exception):
    """The room ended without a result; the message is what it said last."""


def main() -> int:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.benchmarks.rivals.measure")
    parser.add_argument("rival", choices=[rival.name for rival in RIVALS])
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--latency-ms", type=float, default=20.0, help="of the emulated provider")
    parser.add_argument(
        "--trouble",
        nargs="?",
        const=TROUBLE,
        default="",
        metavar="OUTCOMES",
        help=f"of the emulator, such as accept_drop=0.05 (without a word: {TROUBLE})",
    )
    options = parser.parse_args()
    try:
        print(json.dumps(measure(rival_named(options.rival), options)))
    except (InexactError, MeasuringFailedError, NoIsolationError, NotInstalledError) as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def measure(rival: Rival, options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures, and, to be read only, the library's words for failures."""
    task = Task(
        command=command_of(rival),
        messages=options.messages,
        processes=options.processes,
        latency_ms=options.latency_ms,
        outcomes=options.trouble,
        within_s=SEND_WITHIN_S,
    )
    measured = _in_its_room(task)
    outcome = Outcome(
        messages=measured["messages"],
        told_succeeded=measured["told_succeeded"],
        accepted=measured["accepted"],
        accepted_twice=measured["accepted_twice"],
    )
    cost = {name: measured[name] for name in ("elapsed_s", "cpu_s", "peak_mb")}
    figures: dict[str, Any] = dict(account(outcome) if options.trouble else rates(outcome, **cost))
    emulator_share = round(measured["emulator_cpu_s"] / measured["elapsed_s"], 2)
    return figures | {
        "emulator_cpu_share": emulator_share,
        "errors": list(measured["errors"]),
    }


def _in_its_room(task: Task) -> dict[str, Any]:
    command = [*way_in(), sys.executable, "-m", "loadtests.benchmarks.rivals.room"]
    done = subprocess.run(
        [*command, json.dumps(asdict(task))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        said = (done.stderr.strip() or "without a word").splitlines()[-1]
        raise MeasuringFailedError(said)
    measured: dict[str, Any] = json.loads(lines[-1])
    return measured


if __name__ == "__main__":
    sys.exit(main())
