"""The parts around the workers are killed: the planner, beat, the web server."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from urllib.error import URLError

import psutil

from loadtests.crash import processes
from loadtests.crash.campaign import Campaign
from loadtests.crash.result import BATCH, SENDING_AGAIN_S, Result, judged
from loadtests.crash.scenarios.workers import launch_both
from loadtests.crash.system import System
from loadtests.waiting import wait_until
from scripts.demo_run.errors import DemoError

LAUNCHES = 12
FIRST_SLICE_BATCHES = 20
"""Of the plan, in the first step (`campaigns.planner`)."""

# The plan's second step will write this place: while it is not committed, the planner waits there.
_TAKE_PLACE = """
INSERT INTO campaigns_deliverybatch (campaign_id, project_id, seq, device_ids)
SELECT %s, id, %s, ARRAY[1] FROM devices_fcmproject WHERE project_id = %s
"""
_WAITING = """
SELECT client_port FROM pg_stat_activity
 WHERE wait_event_type = 'Lock' AND query LIKE '%%INSERT INTO campaigns_deliverybatch%%'
"""


def kill_planner(system: System) -> Result:
    """SIGKILL the process that plans, between the first step of the plan and the second."""
    devices = max(system.scale.devices, FIRST_SLICE_BATCHES * BATCH + 2_000)
    campaign = system.draft(system.audience("planned", devices=devices))
    with contextlib.closing(system.database.connect()) as blocker, blocker.cursor() as cursor:
        cursor.execute(_TAKE_PLACE, (campaign.id, FIRST_SLICE_BATCHES, "crash-test"))
        campaign.launch()
        port = wait_until(
            lambda: system.database.value(_WAITING), within_s=30, what="the plan's second step"
        )
        processes.kill_process(owner_of(system, port))
        blocker.rollback()
    return judged(system, campaign, repeats=BATCH, pause_s=SENDING_AGAIN_S)


def owner_of(system: System, port: int) -> int:
    """Return the process whose connection to the database has this port at its end."""
    for pid in system.pids:
        for connection in psutil.Process(pid).net_connections():
            if connection.laddr.port == port:
                return pid
    message = f"No process of a worker has port {port}."
    raise LookupError(message)


def kill_beat(system: System) -> Result:
    """SIGKILL beat, then a process that sends: a new beat rescues what it held."""
    campaigns = launch_both(system)
    processes.kill(system.beat)
    processes.kill_process(system.pids[0])
    system.restart_beat()
    return judged(system, *campaigns, repeats=BATCH, pause_s=SENDING_AGAIN_S)


def kill_web(system: System) -> Result:
    """SIGKILL the web server while it answers `/send/`; whoever got no answer asks again."""
    campaigns = [
        system.draft(system.audience(f"web-{number}", devices=300)) for number in range(LAUNCHES)
    ]
    with ThreadPoolExecutor(LAUNCHES) as pool:
        answers = [pool.submit(_launched, campaign) for campaign in campaigns]
        wait_until(
            lambda: any(answer.done() for answer in answers), within_s=30, what="a first answer"
        )
        processes.kill(system.web)
        unanswered = sum(not answer.result() for answer in answers)
    system.mend_processes()
    for campaign in campaigns:
        with contextlib.suppress(DemoError):  # 409: it was started, and only the answer was lost
            campaign.launch()
    result = judged(system, *campaigns, repeats=0)
    result.notes.append(f"{unanswered} of {LAUNCHES} unanswered")
    return result


def _launched(campaign: Campaign) -> bool:
    try:
        campaign.launch()
    except (URLError, OSError, DemoError):
        return False
    return True
