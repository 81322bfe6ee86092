"""What a person may ask of the demo; standard library only, so that --help needs no environment."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass

from loadtests.fcm_emulator.config import Config, ConfigError, parse_outcomes
from loadtests.numbers import bounded, within

DESCRIPTION = """\
Send a campaign to many devices: real PostgreSQL, Redis, Celery workers and web API, a faithful
FCM on loopback, and an account of every device beside the emulator's own receipts.

Exits with 0 only if the account is exact. Data and logs lie in .data/demo; devices that are
there already are used again. DATABASE_URL and REDIS_URL, where set, name the servers to use (an
empty database, please; logs then lie in .data/demo-<digest>). Ctrl-C stops everything.
"""


@dataclass(frozen=True, slots=True)
class Options:
    """One run's wishes."""

    devices: int
    """How many devices the campaign goes to."""
    latency_ms: float
    """From request to answer at the emulated FCM, in milliseconds."""
    quota: int
    """Messages a minute, of the emulated project and of our pacing; 0: neither limits."""
    outcomes: dict[str, float]
    """Share (0…1) of the devices that meet a behaviour of the emulator; the rest are accepted."""
    workers: int
    """Processes that send."""
    projects: int
    """FCM projects among which the devices are divided, each with a quota of its own."""
    seed: int
    """Decides the devices' addresses, and which of them meet which outcome."""
    serve: bool
    """Whether to stay up afterwards."""
    port: int
    """The web server's, on 127.0.0.1; 0: any free one."""
    json: bool
    """Whether the account is printed as JSON."""


def parse(arguments: list[str]) -> Options:
    """Return the options; on a wrong one, say so and exit with 2."""
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    cores = os.cpu_count() or 1
    add(
        "--devices",
        type=bounded(0, 100_000_000),
        default=100_000,
        help="how many (default: 100000)",
    )
    add(
        "--latency-ms",
        type=within(0, 60_000),
        default=20.0,
        help="of the emulated FCM (default: 20)",
    )
    add(
        "--quota",
        type=bounded(0, 1_000_000_000),
        default=600_000,
        help="messages a minute, of the emulated project and of the pacing; 0 for none"
        " (default: 600000, as FCM's own)",
    )
    add(
        "--outcomes",
        type=_outcomes,
        default={"unregistered": 0.02},
        help="shares of the devices, such as unregistered=0.02,unavailable=0.01; docs/emulator.md"
        " names all; '' for none (default: unregistered=0.02)",
    )
    add(
        "--workers",
        type=bounded(1, 256),
        default=min(8, max(2, 2 * cores)),
        help="processes that send (default: two per core, 8 at most)",
    )
    add(
        "--projects",
        type=bounded(1, 100),
        default=1,
        help="FCM projects among which the devices are divided (default: 1)",
    )
    add("--seed", type=int, default=0, help="of addresses and outcomes (default: 0)")
    add("--serve", action="store_true", help="stay up; print the URL, a login and an API key")
    add(
        "--port",
        type=bounded(0, 65_535),
        default=0,
        help="of the web server (default: any free one)",
    )
    add("--json", action="store_true", help="print the account as JSON, last line of stdout")
    return Options(**vars(parser.parse_args(arguments)))


def _outcomes(text: str) -> dict[str, float]:
    try:
        return Config(outcomes=parse_outcomes(text)).outcomes
    except ConfigError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc
