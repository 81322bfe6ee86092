"""Workers are killed, stopped and replaced while they send."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator, Sequence
from functools import partial

from loadtests.crash import processes
from loadtests.crash.campaign import ENDED, Campaign
from loadtests.crash.processes import Worker
from loadtests.crash.result import BATCH, SENDING_AGAIN_S, Result, judged
from loadtests.crash.system import System
from loadtests.waiting import TooLateError, wait_until

GONE_WITHIN_S = 10.0
HOLDER_TRIES = 10
LAUNCH_TRIES = 5
USUAL_START_S = 5.0
"""New workers take no longer to be ready on a machine that is not overloaded: past that it is the
machine, not the engine, that keeps messages waiting."""


def launch_both(system: System, *, share: float = 0.2) -> list[Campaign]:
    """Start a campaign of each guarantee, and wait until both are well under way.

    A machine that was busy elsewhere may notice only when one has ended: then two others start,
    to the same devices, so the provider is to forget that it has seen them.
    """
    for _ in range(LAUNCH_TRIES):
        campaigns = _launch(system, devices=system.scale.devices // 2)
        for campaign in campaigns:
            campaign.wait_for_share(share, within_s=system.scale.end_within_s)
        if not any(campaign.status in ENDED for campaign in campaigns):
            return campaigns
        for campaign in campaigns:
            campaign.wait_for_end(within_s=system.scale.end_within_s)
        system.emulator.control.reset()
    message = "A campaign always ended before anything was broken."
    raise RuntimeError(message)


def launch_slowly(system: System) -> list[Campaign]:
    """Start a campaign of each guarantee, so slow that every process holds a batch of them."""
    devices = 2 * BATCH * len(system.pids)
    campaigns = _launch(system, devices=devices, rate_limit_per_second=100)
    _wait_until_all_hold(system, campaigns, within_s=60)
    return campaigns


def _wait_until_all_hold(system: System, campaigns: Sequence[Campaign], *, within_s: float) -> None:
    wait_until(
        lambda: sum(one.batches("state = 'sending'") for one in campaigns) == len(system.pids),
        within_s=within_s,
        what="every process holds a batch",
    )


def _freeze_a_holder(system: System, campaigns: Sequence[Campaign]) -> int:
    """SIGSTOP a process in the middle of a batch; return its pid."""
    pid = system.pids[0]
    for _ in range(HOLDER_TRIES):
        processes.freeze(pid)
        # Between two batches it holds none, and the others are one too few.
        with contextlib.suppress(TooLateError):
            _wait_until_all_hold(system, campaigns, within_s=1)
            return pid
        processes.thaw(pid)
        time.sleep(0.1)
    message = f"Process {pid} never held a batch."
    raise TooLateError(message)


def _launch(system: System, *, devices: int, **fields: object) -> list[Campaign]:
    """Start a campaign of each guarantee; all is prepared before the first is started."""
    campaigns = [
        system.draft(
            system.audience(guarantee.replace("_", "-"), devices=devices),
            guarantee=guarantee,
            **fields,
        )
        for guarantee in ("at_least_once", "at_most_once")
    ]
    for campaign in campaigns:
        campaign.launch()
    return campaigns


def kill_processes(system: System) -> Result:
    """SIGKILL a random process that sends, again and again."""
    chance = random.Random(4)
    campaigns = launch_both(system)
    killed = 0
    for _ in while_sending(system, campaigns):
        processes.kill_process(chance.choice(system.pids))
        killed += 1
    result = judged(system, *campaigns, repeats=BATCH * killed, pause_s=SENDING_AGAIN_S)
    result.notes.append(f"{killed} killed")
    return result


def while_sending(system: System, campaigns: Sequence[Campaign]) -> Iterator[None]:
    """Yield at the scale's distance, up to its number of faults or the campaigns' end."""
    for _ in range(system.scale.faults):
        if all(campaign.status in ENDED for campaign in campaigns):
            return
        yield
        time.sleep(system.scale.every_s)


def kill_worker(system: System) -> Result:
    """SIGKILL a whole worker; what it held is taken over by the other."""
    campaigns = launch_both(system)
    system.workers[0].kill()
    return judged(
        system, *campaigns, repeats=BATCH * system.scale.processes, pause_s=SENDING_AGAIN_S
    )


def kill_all_workers(system: System) -> Result:
    """SIGKILL all workers at once; new ones go on."""
    campaigns = launch_both(system)
    held = len(system.pids)
    killed_at = time.monotonic()
    for worker in system.workers:
        worker.kill()
    system.mend_processes()
    start_s = time.monotonic() - killed_at
    pause_s = SENDING_AGAIN_S + max(0.0, start_s - USUAL_START_S)
    return judged(system, *campaigns, repeats=BATCH * held, pause_s=pause_s)


def stop_past_the_lease(system: System) -> Result:
    """SIGSTOP a process that sends until its batch is taken over and sent; then let it go on."""
    campaigns = launch_slowly(system)
    zombie = _freeze_a_holder(system, campaigns)
    for campaign in campaigns:
        system.unlimit(campaign)
    try:
        wait_until(
            lambda: sum(campaign.batches("crashes > 0") for campaign in campaigns),
            within_s=system.scale.end_within_s,
            what="the stopped process's batch is taken over",
        )
        for campaign in campaigns:
            campaign.wait_for_end(within_s=system.scale.end_within_s)
    finally:
        processes.thaw(zombie)
    wait_until(
        lambda: any(
            worker.said("was taken over: its result is dropped") for worker in system.workers
        ),
        within_s=30,
        what="the zombie's result is dropped",
    )
    return judged(system, *campaigns, repeats=BATCH)


def rolling_deploy(system: System) -> Result:
    """SIGTERM one worker after the other while all send; their replacements run already.

    What is in flight settles and the rest is given back, so each is gone within seconds.
    """
    old = list(system.workers)
    for worker in [system.add_worker() for _ in old]:
        processes.wait_until_ready(worker)
    campaigns = launch_slowly(system)
    slowest = 0.0
    for worker in old:
        begin = time.monotonic()
        worker.terminate()
        wait_until(partial(_is_gone, worker), within_s=90, what="the worker is gone")
        slowest = max(slowest, time.monotonic() - begin)
    given_back = sum(
        campaign.batches("attempt = 1 AND state = 'pending'") for campaign in campaigns
    )
    for campaign in campaigns:
        system.unlimit(campaign)
    result = judged(system, *campaigns, repeats=0)
    result.notes.append(f"gone within {slowest:.1f} s, {given_back} batches given back")
    result.demand(slowest <= GONE_WITHIN_S, f"a worker took {slowest:.0f} s to leave")
    result.demand(given_back > 0, "no worker had anything to give back")
    return result


def _is_gone(worker: Worker) -> bool:
    return not worker.is_alive
