"""Run the load test from start to end."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from typing import Any

import psycopg2
from rich.console import Console
from rich.table import Table

from loadtests.fcm_emulator.control import ControlError
from loadtests.load.calls import Call, LoadFailedError, run_users
from loadtests.load.goals import verdicts
from loadtests.load.options import Options, parse
from scripts.demo_run.errors import DemoError
from scripts.demo_run.guards import alone, refuse_small_disk
from scripts.demo_run.leaving import leave_in_order_when_told
from scripts.demo_run.options import Options as StackOptions
from scripts.demo_run.screen import Screen
from scripts.demo_run.stack import Stack, running_stack
from scripts.embedded import ServersError
from scripts.embedded.folders import server_account
from scripts.embedded.servers import profile_folder

WORKERS = 4
LATENCY_MS = 20.0
WIDTH = 120
"""Of the table, where nobody's terminal says."""
CAMPAIGN = {"title": "News", "message": "Everybody is told.", "target_all": True}
FAILURES = (DemoError, ServersError, ControlError, LoadFailedError, psycopg2.Error, OSError)


def main(arguments: list[str]) -> int:
    """Return 0 where every call was answered well, 1 for any failure, 130 for Ctrl-C."""
    options = parse(arguments)
    leave_in_order_when_told()
    screen = Screen(to_stderr=options.json)
    folder = profile_folder("loadtest", account=server_account())
    for name in ("DATABASE_URL", "REDIS_URL"):  # its servers are its own: nobody's get a million
        os.environ.pop(name, None)
    try:
        with alone(folder, what="scripts/loadtest"):
            refuse_small_disk(folder, options.devices)
            with running_stack(_stack_options(options), folder=folder, screen=screen) as stack:
                return _measure(options, stack, screen)
    except FAILURES as failure:
        print(str(failure).strip(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; everything is stopped.", file=sys.stderr)
        return 130


def _stack_options(options: Options) -> StackOptions:
    return StackOptions(
        devices=options.devices,
        latency_ms=LATENCY_MS,
        quota=options.quota,
        outcomes={},
        workers=WORKERS,
        projects=1,
        seed=0,
        serve=False,
        port=0,
        json=options.json,
    )


def _measure(options: Options, stack: Stack, screen: Screen) -> int:
    """Measure both halves, and say what came of them; return the exit status."""
    options.output.mkdir(parents=True, exist_ok=True)
    screen.step(f"{options.users} users for {options.seconds} s, nothing being sent")
    idle = _users(options, stack, "idle")
    campaign = stack.api.post("campaigns/", CAMPAIGN)["id"]
    stack.api.post(f"campaigns/{campaign}/send/", {})
    screen.step(f"The same beside a campaign to {options.devices:,} devices")
    began_at, before = time.monotonic(), _sent(stack, campaign)
    sending = _users(options, stack, "sending")
    seconds = time.monotonic() - began_at
    after = stack.api.get(f"campaigns/{campaign}/stats/")
    was_running = after["status"] == "processing"
    # One that has ended knows its own rate, without what the users stayed on for.
    rate = (after["sent"] - before) / seconds if was_running else after["rate_per_second"]
    _show(idle, sending, rate=rate, was_running=was_running, to_stderr=options.json)
    screen.step(f"Locust's reports: {options.output}")
    if options.json:
        print(json.dumps(_figures(idle, sending, rate=rate, was_running=was_running)))
    return 1 if any(call.failures for call in (*idle, *sending)) else 0


def _users(options: Options, stack: Stack, name: str) -> list[Call]:
    report = options.output / name
    return run_users(
        options, url=stack.api.url, api_key=stack.login.api_key, report=report.absolute()
    )


def _sent(stack: Stack, campaign: int) -> int:
    return int(stack.api.get(f"campaigns/{campaign}/stats/")["sent"])


def _show(
    idle: list[Call], sending: list[Call], *, rate: float, was_running: bool, to_stderr: bool
) -> None:
    table = Table(
        title="Milliseconds: nothing sent │ beside the campaign",
        title_justify="left",
        show_edge=False,
    )
    table.add_column("call")
    for column in ("calls", "errors", "p50", "p95", "p99", "calls", "errors", "p50", "p95", "p99"):
        table.add_column(column, justify="right")
    beside = {call.name: call for call in sending}
    for call in idle:
        other = beside.get(call.name)
        table.add_row(call.name, *_cells(call), *(_cells(other) if other else [""] * 5))
    console = Console(stderr=to_stderr)
    if not console.is_terminal:
        console.width = WIDTH
    console.print(table)
    tense = "and it went on" if was_running else "and it ended before the users left"
    console.print(f"The campaign went out at {rate:,.0f} messages/s meanwhile, {tense}.")
    for verdict in verdicts(idle, sending):
        console.print(verdict.sentence(), highlight=False)


def _cells(call: Call) -> list[str]:
    times = (call.p50, call.p95, call.p99)
    return [f"{call.count:,}", f"{call.failures:,}", *(f"{time:,.0f}" for time in times)]


def _figures(
    idle: list[Call], sending: list[Call], *, rate: float, was_running: bool
) -> dict[str, Any]:
    return {
        "idle": [asdict(call) for call in idle],
        "sending": [asdict(call) for call in sending],
        "messages_per_s": round(rate, 1),
        "campaign_outlasted_the_users": was_running,
        "goals": [asdict(one) | {"is_met": one.is_met} for one in verdicts(idle, sending)],
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
