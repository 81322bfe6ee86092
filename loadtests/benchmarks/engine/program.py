"""A program that measures the running engine: its options, its one line of JSON, its failures."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

import psycopg2
import redis

from loadtests.fcm_emulator.control import ControlError
from loadtests.waiting import TooLateError
from scripts.demo_run.errors import DemoError
from scripts.demo_run.leaving import leave_in_order_when_told
from scripts.embedded import ServersError

FAILURES = (
    DemoError,
    ServersError,
    ControlError,
    TooLateError,
    psycopg2.Error,
    redis.RedisError,
    OSError,
)


def parser_of(module: str) -> argparse.ArgumentParser:
    """Return a parser of what all of them take, for `python -m <module>`."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    parser.add_argument("--devices", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=4, help="sending processes")
    parser.add_argument("--quota", type=int, default=0, help="messages a minute; 0: none")
    parser.add_argument("--latency-ms", type=float, default=20.0, help="of the emulated provider")
    return parser


def run(measure: Callable[[], dict[str, Any]]) -> None:
    """Print what `measure` returns as JSON; end with 1 and a sentence where it fails."""
    leave_in_order_when_told()
    try:
        print(json.dumps(measure()))
    except FAILURES as failure:
        sys.exit(str(failure).strip())
