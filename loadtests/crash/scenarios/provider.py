"""The provider is slow, refuses, forgets to answer, or accepts and breaks off."""

from __future__ import annotations

import time

from loadtests.crash.campaign import Campaign
from loadtests.crash.result import Result, judged
from loadtests.crash.system import PROJECT, QUOTA_PROJECT, TOKEN_PROJECT, System
from loadtests.waiting import wait_until

SLOW_MS = 5_000.0
REFUSALS = 100
"""So many devices at most meet a 429: each stops the whole project for two seconds."""
TROUBLES = {
    "unavailable": {"unavailable": 0.2},
    "accept-then-drop": {"accept_reset": 0.05},
    "hang": {"hang": 0.01},
    "too-many": {"quota_project.1.2": 0.05},
}
"""Audiences by what 20, 5, 1 and 5 % of their devices meet, once each."""


def launch_troubled(system: System, name: str) -> Campaign:
    """Start a campaign to one of the `TROUBLES`."""
    devices, troubles = system.scale.troubled, TROUBLES[name]
    project = PROJECT
    if name == "too-many":
        project = QUOTA_PROJECT
        most = max(REFUSALS / devices, 0.001)
        troubles = {trouble: min(share, most) for trouble, share in troubles.items()}
    audience = system.audience(name, devices=devices, project=project, troubles=troubles)
    return system.launch(audience)


def judge_troubled(system: System, campaign: Campaign, *, accepted_unheard: float = 0.0) -> Result:
    """Everybody is reached in the end; only those are repeated whose answer was lost."""
    repeats = round(campaign.audience.devices * accepted_unheard)
    result = judged(system, campaign, repeats=repeats)
    [account] = result.accounts
    result.demand(
        account.log["success"] == account.expected, f"not everybody is reached: {account.log}"
    )
    return result


def unavailable(system: System) -> Result:
    """20 % of the devices meet a 503 first."""
    return judge_troubled(system, launch_troubled(system, "unavailable"))


def accept_then_drop(system: System) -> Result:
    """5 % are accepted, and the answer never comes: the only ones that may be repeated."""
    campaign = launch_troubled(system, "accept-then-drop")
    return judge_troubled(system, campaign, accepted_unheard=0.05)


def hang(system: System) -> Result:
    """1 % get no answer at all at first."""
    return judge_troubled(system, launch_troubled(system, "hang"))


def too_many(system: System) -> Result:
    """Answer 429 again and again: the project's messages wait, nothing is lost."""
    return judge_troubled(system, launch_troubled(system, "too-many"))


def slow(system: System) -> Result:
    """Latency goes from 20 ms to 5 s and back: nothing times out, nothing is repeated."""
    campaign = system.launch(system.audience("slow", devices=system.scale.devices // 2))
    campaign.wait_for_share(0.2, within_s=system.scale.end_within_s)
    system.emulator.control.configure(latency_ms=SLOW_MS)
    time.sleep(system.scale.down_s)
    system.emulator.control.configure(latency_ms=20.0)
    return judged(system, campaign, repeats=0)


def revoked_token(system: System) -> Result:
    """All access tokens become worthless in the middle: new ones are got, nobody notices."""
    audience = system.audience("revoked", devices=system.scale.devices // 2, project=TOKEN_PROJECT)
    campaign = system.launch(audience)
    campaign.wait_for_share(0.2, within_s=system.scale.end_within_s)
    system.emulator.control.revoke_access_tokens()
    return judged(system, campaign, repeats=0)


def refuse_project(system: System) -> tuple[Campaign, str]:
    """Start a campaign whose project meets 401 in the middle; resume it when it has paused.

    Returns the campaign, and the reason it paused for.
    """
    audience = system.audience("refused", devices=system.scale.devices // 2, project=TOKEN_PROJECT)
    campaign = system.launch(audience)
    campaign.wait_for_share(0.2, within_s=system.scale.end_within_s)
    system.emulator.control.configure(project_faults={TOKEN_PROJECT: "unauthenticated"})
    wait_until(lambda: campaign.status == "paused", within_s=60, what="the campaign pauses")
    reason = system.account(campaign).reason
    system.emulator.control.configure(project_faults={})
    campaign.move("resume")
    return campaign, reason


def judge_refused(system: System, campaign: Campaign, reason: str) -> Result:
    """Expect everybody to be reached in the end, and the provider's words as the reason."""
    result = judge_troubled(system, campaign)
    result.demand("authentication" in reason, f"paused for the reason {reason!r}")
    return result


def refused_project(system: System) -> Result:
    """401 for good in the middle: the campaign pauses with the reason, and goes on when told."""
    return judge_refused(system, *refuse_project(system))
