"""One campaign to everybody, from launch to completed: rate, processor time by kind, memory.

`python -m loadtests.benchmarks.engine.job --devices 1000000` prints one JSON object. The devices
are made once and used again.
"""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import Any

from loadtests.benchmarks.databases import checkpoint
from loadtests.benchmarks.engine.processors import NOT_OURS, Kind, Processors
from loadtests.benchmarks.engine.program import parser_of, run
from loadtests.benchmarks.engine.system import create, launch, running_system, wait_until_ended
from scripts.demo_run.api import Json
from scripts.demo_run.errors import DemoError

SLOWEST_PER_S = 2_000
"""Messages a second, below which a run is given up."""


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Send the campaign; DemoError where the account does not agree with the receipts."""
    outcomes = {"unregistered": options.unregistered}
    with running_system(options, projects=options.projects, outcomes=outcomes) as stack:
        campaign = create(stack, priority="high")  # normal and low leave a share of the quota
        checkpoint()
        wal_before = _wal_bytes()
        within_s = 60 + options.devices / SLOWEST_PER_S
        with Processors() as processors:
            launch(stack, campaign)
            stats = wait_until_ended(stack, campaign, within_s=within_s)
        written = _wal_bytes() - wal_before
        receipts = stack.emulator.control.stats()
    _refuse_inexact(stats, receipts, devices=options.devices)
    return _figures(stats, receipts, processors) | {
        "wal_bytes_per_device": round(written / options.devices, 1)
    }


def _wal_bytes() -> int:
    """Return how much PostgreSQL has written to its log so far."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")
        return int(cursor.fetchone()[0])


def _refuse_inexact(stats: Json, receipts: Json, *, devices: int) -> None:
    """Refuse to call it a measurement where something is missing or was sent twice."""
    is_exact = (
        stats["status"] == "completed"
        and stats["sent"] == stats["total_recipients"] == devices
        and stats["success"] == receipts["accepted_unique"]
        and not receipts["accepted_twice"]
    )
    if not is_exact:
        message = f"The account is not exact: {stats}, {receipts['by_status']}."
        raise DemoError(message)


def _figures(stats: Json, receipts: Json, processors: Processors) -> dict[str, Any]:
    begin, end = (datetime.fromisoformat(stats[key]) for key in ("started_at", "completed_at"))
    elapsed_s = (end - begin).total_seconds()
    sent = stats["sent"]
    micros = {
        kind.value: round(seconds / sent * 1e6, 2) for kind, seconds in processors.seconds().items()
    }
    return {
        "messages": sent,
        "elapsed_s": round(elapsed_s, 3),
        "messages_per_s": round(sent / elapsed_s, 1),
        "cpu_us": micros,
        "engine_cpu_us": round(sum(micros[kind.value] for kind in Kind if kind not in NOT_OURS), 2),
        "peak_rss_mb": round(processors.peak_bytes / 2**20, 1),
        "http_429": receipts["by_status"].get("429", 0),
    }


def main() -> None:
    """Measure as the command line says; print the result as JSON."""
    parser = parser_of("loadtests.benchmarks.engine.job")
    parser.add_argument("--projects", type=int, default=1, help="among which devices are divided")
    parser.add_argument("--unregistered", type=float, default=0.02, help="share of dead devices")
    options = parser.parse_args()
    run(lambda: measure(options))


if __name__ == "__main__":
    main()
