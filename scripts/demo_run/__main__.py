"""Run the demo from start to end."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import time
from pathlib import Path
from urllib.error import URLError

import psycopg2
from django.db import Error as DatabaseError

from loadtests.fcm_emulator.control import ControlError
from scripts.demo_run.account import faults as faults_of
from scripts.demo_run.api import Json
from scripts.demo_run.errors import DemoError
from scripts.demo_run.guards import BYTES_TO_GO_ON, alone, refuse_full_disk, refuse_small_disk
from scripts.demo_run.leaving import leave_in_order_when_told
from scripts.demo_run.memory import PeakMemory
from scripts.demo_run.options import Options, parse
from scripts.demo_run.screen import Screen
from scripts.demo_run.stack import Stack, running_stack
from scripts.embedded import ServersError
from scripts.embedded.folders import default_data_root, server_account
from scripts.embedded.servers import profile_folder

POLL_INTERVAL_S = 0.5
CAMPAIGN = {
    "title": "Hello from Pushcore",
    "message": "One campaign, every device accounted for.",
    "priority": "high",  # normal and low leave a share of the quota to urgent campaigns
    "target_all": True,
}
FAILURES = (DemoError, ServersError, ControlError, DatabaseError, psycopg2.Error, OSError)
"""What a part that is missing, refuses or dies makes of a run; URLError is an OSError."""
ENDED = ("completed", "failed", "cancelled", "paused")
"""Statuses that the campaign does not leave by itself."""


def main(arguments: list[str]) -> int:
    """Return the exit status: 0 for an exact account, 1 for any failure, 130 for Ctrl-C."""
    options = parse(arguments)
    screen = Screen(to_stderr=options.json)
    leave_in_order_when_told()
    try:
        folder = _folder()
        with alone(folder):
            refuse_small_disk(folder, options.devices)
            return _run(options, folder=folder, screen=screen)
    except FAILURES as exc:
        print(_sentence(exc), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; everything is stopped.", file=sys.stderr)
        return 130


def _sentence(exc: Exception) -> str:
    """Say what went wrong. A full disk shows in many disguises: the disk itself is asked."""
    if isinstance(exc, DemoError | ServersError):
        return str(exc)
    data = default_data_root(server_account())
    if shutil.disk_usage(data).free < BYTES_TO_GO_ON:
        return f"The disk that holds {data} is full."
    return f"A part of the engine is gone: {str(exc).strip()} (logs: {data}/demo…/logs)."


def _folder() -> Path:
    """Return where data, logs and keys of this run lie: one folder for each database."""
    url = os.environ.get("DATABASE_URL", "")
    name = f"demo-{hashlib.sha256(url.encode()).hexdigest()[:8]}" if url else "demo"
    return profile_folder(name, account=server_account())


def _run(options: Options, *, folder: Path, screen: Screen) -> int:
    with running_stack(options, folder=folder, screen=screen) as stack:
        exact = _send_and_account(options, stack, folder=folder, screen=screen)
        if options.serve:
            _serve(stack, screen)
        return 0 if exact else 1


def _send_and_account(options: Options, stack: Stack, *, folder: Path, screen: Screen) -> bool:
    """Send one campaign over the API; return whether its account is exact."""
    from scripts.demo_run import receipts as receipts_of  # Django is set up only now

    with PeakMemory(stack.workers.process.pid) as memory:
        campaign_id, stats = _send(options, stack, folder=folder, screen=screen)
    with screen.progress("Comparing with the receipts", total=options.devices) as advance:
        receipts = receipts_of.compare(
            campaign_id=campaign_id,
            control=stack.emulator.control,
            on_progress=advance,
        )
    result = receipts_of.draw_up(
        devices=options.devices, stats=stats, receipts=receipts, peak_bytes=memory.peak_bytes
    )
    faults = faults_of(result, receipts, outcomes=options.outcomes)
    screen.account(result, faults=faults)
    receipts_of.write_deactivated(folder / "deactivated.tsv")
    if result.deactivated:
        screen.step(f"Which devices were deactivated: {folder / 'deactivated.tsv'}")
    if options.json:
        print(json.dumps(result.as_json()), flush=True)
    return not faults


def _send(options: Options, stack: Stack, *, folder: Path, screen: Screen) -> tuple[int, Json]:
    """Create and launch a campaign, and watch it to its end; return its id and last `/stats/`.

    Raises:
        DemoError: it ends otherwise than completed, or a part of the engine dies.
    """
    campaign_id = stack.api.post("campaigns/", CAMPAIGN)["id"]
    launched = stack.api.post(f"campaigns/{campaign_id}/send/", {})
    screen.step(f"Campaign {campaign_id} launched on the queue {launched['queue']}")
    try:
        with screen.campaign(total=options.devices) as show:
            while True:
                refuse_full_disk(folder)
                stack.children.check()
                stats = stack.api.get(f"campaigns/{campaign_id}/stats/")
                show(stats)
                if stats["status"] in ENDED:
                    break
                time.sleep(POLL_INTERVAL_S)
    except BaseException:
        # Whoever starts workers on this database later is not to go on with it.
        with contextlib.suppress(DemoError, URLError):
            stack.api.post(f"campaigns/{campaign_id}/cancel/", {})
        raise
    if stats["status"] != "completed":
        message = f"The campaign is {stats['status']}: {stats['status_reason']}"
        raise DemoError(message)
    return campaign_id, stats


def _serve(stack: Stack, screen: Screen) -> None:
    """Stay up until Ctrl-C, or until a part dies."""
    url, login = stack.api.url, stack.login
    screen.step(f"Pages: {url}/admin/   login: {login.user_name}   password: {login.password}")
    screen.step(f"API: {url}/api/campaigns/   Authorization: Api-Key {login.api_key}")
    screen.step("Ctrl-C stops everything.")
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            stack.children.check()
            time.sleep(POLL_INTERVAL_S)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
