"""Pushcore in the same figures as its rivals: `python -m loadtests.benchmarks.rivals.pushcore job`.

`job` is one campaign from launch to completed, with every device in the ledger; its processor time
is that of all processes but the emulator: workers, web server, beat, PostgreSQL and Valkey.
`transport` is what it sends with and nothing else, as the rivals are. `trouble` is a campaign
while answers are lost. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from loadtests.benchmarks import transport
from loadtests.benchmarks.engine import job, system
from loadtests.benchmarks.engine.program import parser_of, run
from loadtests.benchmarks.rivals.figures import TROUBLE, InexactError, Outcome, account, rates
from loadtests.fcm_emulator.config import parse_outcomes

TROUBLE_ENDS_WITHIN_S = 240.0


def main() -> int:
    """Measure as the command line says."""
    parser = parser_of("loadtests.benchmarks.rivals.pushcore")
    parser.add_argument("what", choices=["job", "transport", "trouble"])
    parser.add_argument("--guarantee", default="at_least_once", help="of the campaign in trouble")
    parser.add_argument("--outcomes", type=parse_outcomes, default=TROUBLE, help="its trouble")
    options = parser.parse_args()
    measure = {"job": _job, "transport": _transport, "trouble": _trouble}[options.what]
    try:
        run(lambda: measure(options))
    except InexactError as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def _job(options: argparse.Namespace) -> dict[str, Any]:
    options.projects, options.unregistered = 1, 0.0
    # It refuses an inexact account itself.
    figures = job.measure(options)
    return {
        "messages": figures["messages"],
        "elapsed_s": figures["elapsed_s"],
        "messages_per_s": figures["messages_per_s"],
        "messages_per_cpu_s": round(1e6 / figures["engine_cpu_us"], 1),
        "peak_rss_mb": figures["peak_rss_mb"],
    }


def _transport(options: argparse.Namespace) -> dict[str, Any]:
    measured = transport.measure(
        kind="http2",
        messages=options.devices,
        processes=options.workers,
        latency_ms=options.latency_ms,
    )
    outcome = Outcome(
        messages=measured.messages,
        told_succeeded=measured.answers.get("200", 0),
        accepted=measured.accepted,
        accepted_twice=measured.accepted_twice,
    )
    return dict(
        rates(
            outcome,
            elapsed_s=measured.elapsed_s,
            cpu_s=measured.cpu_us_per_message * measured.messages / 1e6,
            # Each is a process of its own: they share nothing but the pages of files.
            peak_mb=measured.peak_rss_mb_per_process * measured.processes,
        )
    )


def _trouble(options: argparse.Namespace) -> dict[str, Any]:
    with system.running_system(options, outcomes=options.outcomes) as stack:
        campaign = system.create(stack, priority="high", guarantee=options.guarantee)
        system.launch(stack, campaign)
        stats = system.wait_until_ended(stack, campaign, within_s=TROUBLE_ENDS_WITHIN_S)
        receipts = stack.emulator.control.stats()
    if stats["status"] != "completed":
        message = f"The campaign is {stats['status']}: {stats['status_reason']}"
        raise InexactError(message)
    outcome = Outcome(
        messages=options.devices,
        told_succeeded=stats["success"],
        told_unknown=stats["unknown"],
        accepted=receipts["accepted_unique"],
        accepted_twice=receipts["accepted_twice"],
    )
    return dict(account(outcome))


if __name__ == "__main__":
    sys.exit(main())
