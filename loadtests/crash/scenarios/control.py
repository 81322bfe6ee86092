"""Pause and cancel are in force within two seconds; a launch happens once; urgent beats bulk."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from loadtests.crash.campaign import Campaign
from loadtests.crash.result import Result, judged
from loadtests.crash.system import System
from loadtests.waiting import wait_until
from scripts.demo_run.errors import DemoError

IN_FORCE_S = 2.0
AT_ONCE = 50
URGENT_WITHIN_S = 10.0
"""From an urgent campaign's launch to its end, while others hold every process."""
SLOW_BY = 1.5
"""How much longer than its pace says a slow campaign may take, set-up included."""


def pause_resume_cancel(system: System) -> Result:
    """At full rate: pause, look that nothing is sent, resume, and cancel soon after."""
    campaign = system.launch(
        system.audience("controlled", devices=max(system.scale.devices, 30_000)),
        rate_limit_per_second=None,
    )
    return _steer(system, campaign, share=0.1)


def pause_while_waiting(system: System) -> Result:
    """Pause and cancel while a very slow campaign waits for its permits."""
    campaign = system.launch(system.audience("crawling", devices=4_000), rate_limit_per_second=5)
    return _steer(system, campaign, share=0.0)


def _steer(system: System, campaign: Campaign, *, share: float) -> Result:
    campaign.wait_for_share(share, within_s=system.scale.end_within_s)
    _wait_until_sending(campaign)
    paused_s = _stop(system, campaign, "pause")
    accepted = system.accepted
    campaign.move("resume")
    wait_until(lambda: system.accepted > accepted, within_s=30, what="it is resumed")
    _wait_until_sending(campaign)
    cancelled_s = _stop(system, campaign, "cancel")
    result = judged(system, campaign, repeats=0, status="cancelled")
    result.notes.append(f"paused in {paused_s:.1f} s, cancelled in {cancelled_s:.1f} s")
    result.demand(paused_s <= IN_FORCE_S, f"paused only after {paused_s:.1f} s")
    result.demand(cancelled_s <= IN_FORCE_S, f"cancelled only after {cancelled_s:.1f} s")
    result.demand(result.accounts[0].log["skipped"] > 0, "all was sent before it was cancelled")
    return result


def _wait_until_sending(campaign: Campaign) -> None:
    wait_until(
        lambda: campaign.batches("state = 'sending'"), within_s=30, what="batches are being sent"
    )


def _stop(system: System, campaign: Campaign, move: str) -> float:
    """Make the move; return after how many seconds the provider got its last message."""
    asked_at = time.time()
    campaign.move(move)
    wait_until(
        lambda: not campaign.batches("state = 'sending'"),
        within_s=30,
        what=f"nothing is being sent after {move}",
    )
    rate = system.emulator.control.stats()["rate"]
    last_at = rate["started_at"] + len(rate["received"]) * rate["step_ms"] / 1_000
    return float(max(last_at - asked_at, 0.0))


def send_fifty_times(system: System) -> Result:
    """Fifty simultaneous `/send/`: one starts the campaign, the others get 409."""
    campaign = system.draft(system.audience("fifty", devices=1_000))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = Counter(pool.map(lambda _: _answer(campaign), range(AT_ONCE)))
    result = judged(system, campaign, repeats=0)
    result.notes.append(f"answers {dict(answers)}")
    result.demand(answers == {"started": 1, "409": AT_ONCE - 1}, f"answers {dict(answers)}")
    return result


def _answer(campaign: Campaign) -> str:
    try:
        campaign.launch()
    except DemoError as refusal:
        return str(refusal).removeprefix("The API answers ").partition(" ")[0]
    return "started"


def urgent_beats_bulk(system: System) -> Result:
    """Trickling campaigns hold every process; an urgent one is sent at once all the same."""
    bulk = [
        system.launch(
            system.audience(f"bulk-{number}", devices=1_000),
            priority="low",
            rate_limit_per_second=5,
        )
        for number in range(len(system.pids))
    ]
    urgent = system.draft(
        system.audience("urgent", devices=1_000), priority="high", rate_limit_per_second=None
    )
    wait_until(
        lambda: sum(one.batches("state = 'sending'") for one in bulk) == len(bulk),
        within_s=60,
        what="trickling campaigns hold every process",
    )
    begin = time.monotonic()
    urgent.launch()
    urgent.wait_for_end(within_s=system.scale.end_within_s)
    took = time.monotonic() - begin
    for campaign in bulk:
        campaign.move("cancel")
    result = judged(system, *bulk, repeats=0, status="cancelled")
    result.absorb(judged(system, urgent, repeats=0))
    result.notes.append(f"urgent ended after {took:.1f} s")
    result.demand(took <= URGENT_WITHIN_S, f"the urgent campaign took {took:.1f} s")
    return result


def keep_slow_paces(system: System) -> Result:
    """Slow campaigns go turn by turn, two seconds each, and keep to their pace all the same."""
    paces = {5: 40, 50: 400}
    campaigns = {
        rate: system.launch(
            system.audience(f"pace-{rate}", devices=devices), rate_limit_per_second=rate
        )
        for rate, devices in paces.items()
    }
    result = judged(system, *campaigns.values(), repeats=0)
    for rate, campaign in campaigns.items():
        due_s, took = paces[rate] / rate, campaign.seconds
        result.notes.append(f"{rate}/s: {took:.1f} s for {due_s:.0f}")
        result.demand(
            due_s * 0.95 <= took <= due_s * SLOW_BY, f"{took:.1f} s at {rate}/s, not {due_s:.0f}"
        )
    return result
