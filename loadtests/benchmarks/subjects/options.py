"""Options that several subcommands take, and how sizes are written."""

from __future__ import annotations

import argparse

from loadtests.benchmarks.benchmark import Case
from loadtests.numbers import bounded, whole, within

MOST = 100_000_000
START_S = 300.0
"""What servers, workers and a migration get at most, before anything is measured."""
COPIED_PER_S = 15_000
"""Devices a second that are made at the least, on a machine that is busy with other work."""


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add what every subject with the whole engine takes."""
    add_workers(parser, what="that send")
    parser.add_argument(
        "--latency-ms",
        type=within(0, 60_000),
        default=20.0,
        help="of the emulated provider (default: 20)",
    )


def add_workers(parser: argparse.ArgumentParser, *, what: str) -> None:
    """Add the number of processes."""
    parser.add_argument(
        "--workers", type=bounded(1, 64), default=4, help=f"processes {what} (default: 4)"
    )


def add_launches(parser: argparse.ArgumentParser, *, default: int, help_: str) -> None:
    """Add how often a campaign is launched."""
    parser.add_argument(
        "--launches", type=bounded(1, 100), default=default, help=f"{help_} (default: {default})"
    )


def add_quota(parser: argparse.ArgumentParser, *, least: int) -> None:
    """Add the quota of each FCM project."""
    parser.add_argument(
        "--quota",
        type=bounded(least, 1_000_000_000),
        default=600_000,
        help="messages a minute of each project (default: 600,000)",
    )


def add_devices(parser: argparse.ArgumentParser, *, default: int = 1_000_000) -> None:
    """Add the audience."""
    parser.add_argument(
        "--devices",
        type=bounded(1_000, MOST),
        default=default,
        help=f"of the campaign (default: {default:,})",
    )


def add_sizes(parser: argparse.ArgumentParser, *, default: str) -> None:
    """Add the audiences, from small to large, and how often the largest takes part."""
    parser.add_argument(
        "--sizes", type=sizes, default=sizes(default), help=f"audiences (default: {default})"
    )
    parser.add_argument(
        "--largest-turns",
        type=bounded(1, 100),
        help="the largest audience takes part in the first so many turns (default: in all)",
    )


def sizes(text: str) -> list[int]:
    """Read `1k,100k,10M`, and return them in order."""
    found = []
    for part in text.split(","):
        size = whole(part)
        if size is None or not 1_000 <= size <= MOST:
            message = f"{part!r} is no number of devices from 1k to 100M"
            raise argparse.ArgumentTypeError(message)
        found.append(size)
    return sorted(set(found))


def short(size: int) -> str:
    """Write a number of devices as people say it."""
    for factor, letter in ((1_000_000, "M"), (1_000, "k")):
        if size >= factor and size % factor == 0:
            return f"{size // factor}{letter}"
    return f"{size:,}"


def engine_case(
    name: str,
    program: str,
    options: argparse.Namespace,
    *extra: str,
    devices: int,
    limit_s: float,
    turns: int | None = None,
) -> Case:
    """Return a case that runs a program of `engine`; its limit leaves time to make the devices."""
    return Case(
        name=name,
        command=(
            *("-m", f"loadtests.benchmarks.engine.{program}"),
            *("--devices", str(devices)),
            *("--workers", str(options.workers)),
            *("--latency-ms", str(options.latency_ms)),
            *extra,
        ),
        limit_s=START_S + devices / COPIED_PER_S + limit_s,
        turns=turns,
    )
