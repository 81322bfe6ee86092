"""`scripts/bench`: the whole job beside the bare transport and firebase-admin, in turns.

Every figure is a ratio within one run: each turn measures all three one after another on the same
machine, so that a machine that is slower for a while is slower for all of them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class BenchmarkFailedError(Exception):
    """One of the measured programs failed; the message is what it said last."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn measured, in messages a second."""

    job: float
    transport: float
    sdk: float
    peak_rss_mb: float
    """All worker processes of the whole job together."""

    @property
    def share_of_transport(self) -> float:
        """The share of the bare transport's rate that the whole job reaches."""
        return self.job / self.transport

    @property
    def times_sdk(self) -> float:
        """How many times as fast as firebase-admin's `send_each` the whole job is."""
        return self.job / self.sdk


def main(arguments: Sequence[str]) -> int:
    """Measure, print the table, and with `--json` the figures as one object on the last line."""
    options = _parse(arguments)
    turns = []
    for number in range(1, options.runs + 1):
        print(f"Turn {number} of {options.runs}", file=sys.stderr, flush=True)
        try:
            turns.append(_measure(options))
        except BenchmarkFailedError as failure:
            print(failure, file=sys.stderr)
            return 1
    _print_table(turns)
    if options.json:
        print(json.dumps(_figures(turns)))
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="The whole job (launch to completed) beside the bare HTTP/2 transport and "
        "firebase-admin's send_each, all against the emulator over TLS, in turns.",
    )
    parser.add_argument("--devices", type=int, default=1_000_000, help="of the whole job")
    parser.add_argument("--runs", type=int, default=5, help="turns; the median is printed")
    parser.add_argument("--workers", type=int, default=4, help="sending processes")
    parser.add_argument("--latency-ms", type=float, default=20.0, help="of the emulated provider")
    parser.add_argument("--json", action="store_true", help="figures on the last line of stdout")
    return parser.parse_args(arguments)


def _measure(options: argparse.Namespace) -> Turn:
    latency = ["--latency-ms", str(options.latency_ms)]
    processes = ["--processes", str(options.workers)]
    size = ["--devices", str(options.devices), "--workers", str(options.workers)]
    job = _run(["scripts/demo", "--json", "--quota", "0", *latency, *size])
    messages = ["--messages", str(min(options.devices, 400_000))]
    bare = ["-m", "loadtests.benchmarks.transport", *latency, *processes]
    transport = _run([*bare, *messages, "--transport", "http2"])
    sdk = _run([*bare, "--messages", "20000", "--transport", "sdk"])
    return Turn(
        job=job["messages_per_s"],
        transport=transport["messages_per_s"],
        sdk=sdk["messages_per_s"],
        peak_rss_mb=job["peak_rss_mb"],
    )


def _run(command: Sequence[str]) -> dict[str, Any]:
    """Run a Python program and return the JSON object on its last line."""
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    lines = (done.stdout or "").strip().splitlines()
    if done.returncode != 0 or not lines:
        said = (done.stderr or done.stdout).strip().splitlines()
        message = f"{' '.join(command)} failed: {said[-1] if said else 'without a word'}"
        raise BenchmarkFailedError(message)
    figures: dict[str, Any] = json.loads(lines[-1])
    return figures


def _rows(turns: Sequence[Turn]) -> list[tuple[str, list[float]]]:
    return [
        ("whole job, messages/s", [turn.job for turn in turns]),
        ("bare transport, messages/s", [turn.transport for turn in turns]),
        ("firebase-admin send_each, messages/s", [turn.sdk for turn in turns]),
        ("share of the bare transport", [turn.share_of_transport for turn in turns]),
        ("times send_each", [turn.times_sdk for turn in turns]),
        ("memory of all workers, MB", [turn.peak_rss_mb for turn in turns]),
    ]


def _print_table(turns: Sequence[Turn]) -> None:
    print(f"{'':38}{'min':>10}{'median':>10}{'max':>10}")
    for name, values in _rows(turns):
        digits = 2 if max(values) < 100 else 0
        figures = (min(values), statistics.median(values), max(values))
        print(f"{name:38}" + "".join(f"{value:>10,.{digits}f}" for value in figures))


def _figures(turns: Sequence[Turn]) -> dict[str, Any]:
    return {
        name: {"median": statistics.median(values), "runs": values} for name, values in _rows(turns)
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
