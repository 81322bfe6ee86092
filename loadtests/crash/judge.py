"""The verdict on a campaign: counters, ledger and the provider's receipts say the same."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from loadtests.crash.database import Database
from loadtests.fcm_emulator.control import EmulatorControl
from scripts.demo_run.api import Api

CHUNK = 20_000
_LOG = """
SELECT log.status, device.address, project.project_id
  FROM campaigns_pushlog AS log
  JOIN devices_devicetoken AS device ON device.id = log.device_id
  JOIN devices_fcmproject AS project ON project.id = device.project_id
 WHERE log.campaign_id = %s
"""
_COUNTERS = """
SELECT status, status_reason, total_recipients, success_count, invalid_count,
       failure_count - invalid_count, unknown_count, skipped_count
  FROM campaigns_pushcampaign WHERE id = %s
"""
_TWICE_IN_LOG = """
SELECT count(*) - count(DISTINCT device_id) FROM campaigns_pushlog WHERE campaign_id = %s
"""
_OPEN = """
SELECT count(*) FROM campaigns_deliverybatch
 WHERE campaign_id = %s AND state NOT IN ('settled', 'cancelled')
"""
NEVER_ACCEPTED = ("invalid", "failed", "skipped")


@dataclass(frozen=True, slots=True)
class Account:
    """What engine and provider say of one campaign."""

    campaign_id: int
    status: str
    reason: str
    expected: int
    """Devices of its audience."""
    planned: int
    open_batches: int
    counters: dict[str, int]
    """What the campaign's row says, by the log's names of statuses."""
    stats: dict[str, int]
    """What `/stats/` says, by the same names."""
    log: Counter[str] = field(default_factory=Counter)
    """What the ledger says, device by device."""
    twice_in_log: int = 0
    """Entries of the ledger for a device that has one already."""
    accepted: int = 0
    """Devices that the provider has a receipt of."""
    repeats: int = 0
    """Messages that the provider accepted of a device that it had accepted one of."""
    unfounded: int = 0
    """Devices that are called sent without a receipt."""
    unlogged: int = 0
    """Devices with a receipt that are called invalid, failed or skipped."""

    @property
    def lost(self) -> int:
        """Devices without a final outcome, or called sent without a receipt."""
        return self.expected - sum(self.log.values()) + self.log["pending"] + self.unfounded

    def violations(self, *, repeats_allowed: int, status: str = "completed") -> list[str]:
        """Return every promise that is broken, in words; none where all hold."""
        log = {name: self.log[name] for name in self.counters}
        checks = {
            f"is {self.status} ({self.reason}), not {status}": self.status == status,
            f"{self.planned} planned of {self.expected}": self.planned == self.expected,
            f"{self.lost} lost": self.lost == 0,
            f"{self.open_batches} batches open": self.open_batches == 0,
            f"{self.twice_in_log} twice in the ledger": self.twice_in_log == 0,
            f"counters {self.counters}, ledger {log}": self.counters == log,
            f"the API says {self.stats}, ledger {log}": self.stats == log,
            f"{self.unlogged} accepted, but called refused or skipped": self.unlogged == 0,
            f"{self.accepted} receipts for {log}": (
                log["success"] <= self.accepted <= log["success"] + log["unknown"]
            ),
            f"{self.repeats} repeated, allowed {repeats_allowed}": (
                self.repeats <= repeats_allowed
            ),
        }
        return [
            f"campaign {self.campaign_id}: {what}" for what, holds in checks.items() if not holds
        ]


def account_of(
    database: Database, control: EmulatorControl, api: Api, *, campaign_id: int, expected: int
) -> Account:
    """Return a campaign's account: its row, its stats, its ledger, and a receipt for each device.

    The receipts are those since the emulator's last reset; an audience is to be sent to by one
    campaign in that time.
    """
    [(status, reason, planned, *counts)] = database.rows(_COUNTERS, campaign_id)
    names = ("success", "invalid", "failed", "unknown", "skipped")
    log: Counter[str] = Counter()
    accepted = repeats = unfounded = unlogged = 0
    for rows in database.stream(_LOG, campaign_id, size=CHUNK):
        for project in {row[2] for row in rows}:
            own = [(row[0], row[1]) for row in rows if row[2] == project]
            receipts = control.counts([address for _, address in own], project=project)
            for (outcome, _), count in zip(own, receipts, strict=True):
                log[outcome] += 1
                accepted += count > 0
                repeats += max(count - 1, 0)
                unfounded += outcome == "success" and count == 0
                unlogged += outcome in NEVER_ACCEPTED and count > 0
    return Account(
        campaign_id=campaign_id,
        status=status,
        reason=reason,
        expected=expected,
        planned=planned,
        open_batches=database.value(_OPEN, campaign_id),
        counters=dict(zip(names, counts, strict=True)),
        stats=_stats(api, campaign_id),
        log=log,
        twice_in_log=database.value(_TWICE_IN_LOG, campaign_id),
        accepted=accepted,
        repeats=repeats,
        unfounded=unfounded,
        unlogged=unlogged,
    )


def _stats(api: Api, campaign_id: int) -> dict[str, int]:
    said = api.get(f"campaigns/{campaign_id}/stats/")
    names = ("success", "invalid", "unknown", "skipped")
    failed = {"failed": said["failure"] - said["invalid"]}
    return {name: said[name] for name in names} | failed
