"""What a scenario found."""

from __future__ import annotations

from dataclasses import dataclass, field

from loadtests.crash.campaign import Campaign
from loadtests.crash.judge import Account
from loadtests.crash.system import System

BATCH = 500
"""Messages a process has in flight at most: one batch."""
SENDING_AGAIN_S = 30.0
"""From an emptied Redis or a killed worker to sending again."""


@dataclass(slots=True)
class Result:
    """The accounts of a scenario's campaigns, and every broken promise."""

    accounts: list[Account] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def absorb(self, other: Result) -> None:
        """Take in what was found of other campaigns of the same scenario."""
        self.accounts += other.accounts
        self.violations += other.violations
        self.notes += other.notes

    def demand(self, holds: bool, otherwise: str) -> None:
        """Note a violation where something does not hold."""
        if not holds:
            self.violations.append(otherwise)


def judged(
    system: System,
    *campaigns: Campaign,
    repeats: int,
    status: str = "completed",
    pause_s: float | None = None,
) -> Result:
    """Wait for the campaigns' ends and judge them.

    `repeats` bounds what each may have sent twice; under `at_most_once` it is 0 anyway. `pause_s`
    bounds the longest time without a message accepted between the first and the last.
    """
    result = Result()
    for campaign in campaigns:
        campaign.wait_for_end(within_s=system.scale.end_within_s)
    for campaign in campaigns:
        account = system.account(campaign)
        result.accounts.append(account)
        allowed = 0 if _is_at_most_once(campaign) else repeats
        result.violations += account.violations(repeats_allowed=allowed, status=status)
    if taken_over := sum(campaign.batches("crashes > 0") for campaign in campaigns):
        result.notes.append(f"{taken_over} batches taken over")
    if pause_s is not None:
        pause = longest_pause_s(system)
        result.notes.append(f"longest pause {pause:.1f} s")
        result.demand(pause <= pause_s, f"{pause:.1f} s without sending, allowed {pause_s:.0f}")
    return result


def longest_pause_s(system: System) -> float:
    """Return the longest time in which nothing was accepted, between first and last message."""
    rate = system.emulator.control.stats()["rate"]
    longest = current = 0
    for accepted in rate["accepted"]:
        current = 0 if accepted else current + 1
        longest = max(longest, current)
    return float(longest * rate["step_ms"] / 1_000)


def _is_at_most_once(campaign: Campaign) -> bool:
    sql = "SELECT guarantee = 'at_most_once' FROM campaigns_pushcampaign WHERE id = %s"
    return bool(campaign.database.value(sql, campaign.id))
