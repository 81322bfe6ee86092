"""What a person may ask of the load test; standard library only, so that --help is at once."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

DESCRIPTION = """\
Put users on the whole running system, on loopback: apps that register their devices, programs that
send and poll, people who write and read (loadtests/locustfile.py). First while nothing is being
sent, then beside a campaign to everybody. Prints p50, p95 and p99 of every call of both, the
errors, the rate of the sending, and whether /send/ and /stats/ met their goals. Locust's own
reports (HTML, CSV) lie in the output folder; PostgreSQL and Redis are its own, in .data/loadtest.

Exits with 0 where every call was answered well, 1 for any failure.
"""
SHAPES = ("steady", "morning", "breaking")


@dataclass(frozen=True, slots=True)
class Options:
    """One load test's wishes."""

    devices: int
    users: int
    """At the peak."""
    seconds: int
    """Of each of the two halves."""
    shape: str
    quota: int
    """Messages a minute of the emulated FCM project."""
    output: Path
    json: bool


def parse(arguments: list[str]) -> Options:
    """Return the options; on a wrong one, say so and exit with 2."""
    parser = argparse.ArgumentParser(
        prog="scripts/loadtest",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--devices", type=int, default=1_000_000, help="of the campaign (default: 1000000)")
    add("--users", type=int, default=20, help="at the peak (default: 20)")
    add("--seconds", type=int, default=60, help="of each half; 600 at most (default: 60)")
    add("--shape", choices=SHAPES, default="steady", help="of the day (default: steady)")
    add("--quota", type=int, default=600_000, help="messages a minute (default: 600000; 0: none)")
    add(
        "--output",
        type=Path,
        default=Path(".data/loadtest"),
        help="folder of the reports (default: .data/loadtest)",
    )
    add("--json", action="store_true", help="the figures as one JSON object, last line of stdout")
    options = Options(**vars(parser.parse_args(arguments)))
    for name, least, most in (
        ("devices", 1, 100_000_000),
        ("users", 1, 1_000),
        ("seconds", 5, 600),
        ("quota", 0, 1_000_000_000),
    ):
        if not least <= getattr(options, name) <= most:
            parser.error(f"argument --{name}: must be within {least:,} and {most:,}")
    return options
