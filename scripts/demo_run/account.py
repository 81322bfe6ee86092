"""The account: what the engine says of each device beside what the emulator accepted."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass

from scripts.demo_run.api import Json

REPEATS_ARE_MEANT = ("accept_", "slow", "drop")
"""Outcomes after which nobody can know whether the message was accepted: sending it again may
make it twice, which is what `at_least_once` promises."""


@dataclass(frozen=True, slots=True)
class Receipts:
    """The engine's delivery log, device by device, beside the emulator's receipts."""

    log: Counter[str]
    """How many devices the log has per status."""
    unfounded: int
    """Devices that the log calls sent, of which there is no receipt."""
    unlogged: int
    """Devices with a receipt that the log calls invalid, failed or skipped."""
    accepted: int
    """Devices with a receipt, whatever the log says."""
    accepted_twice: int
    """Devices with more than one."""


@dataclass(frozen=True, slots=True)
class Account:
    """The demo's result; the fields are the keys of its JSON."""

    devices: int
    total_recipients: int
    success: int
    failure: int
    invalid: int
    unknown: int
    skipped: int
    deactivated: int
    """Devices that are inactive now because the provider called their address dead."""
    accepted: int
    """Devices of which the emulator has a receipt."""
    accepted_twice: int
    """Devices of which it has more than one."""
    missing: int
    """Devices without a final outcome, or called sent without a receipt."""
    elapsed_s: float
    """From launch to completion, as the engine's clock has it."""
    messages_per_s: float
    peak_rss_mb: float
    """All worker processes together, at their largest; see `memory`."""

    def as_json(self) -> Json:
        """Return it as a JSON object."""
        return asdict(self)


def faults(account: Account, receipts: Receipts, *, outcomes: dict[str, float]) -> list[str]:
    """Return every way in which the account is not exact; none if it is."""
    log = receipts.log
    stated = {
        "success": account.success,
        "invalid": account.invalid,
        "failed": account.failure - account.invalid,
        "unknown": account.unknown,
        "skipped": account.skipped,
    }
    settled = account.success + account.failure + account.unknown + account.skipped
    may_repeat = any(name.startswith(REPEATS_ARE_MEANT) for name in outcomes)
    checks = {
        f"{account.total_recipients} planned of {account.devices} devices": (
            account.total_recipients == account.devices
        ),
        f"{settled} outcomes for {account.total_recipients} planned": (
            settled == account.total_recipients
        ),
        f"the log says {dict(log)}, /stats/ {stated}": all(
            log[status] == count for status, count in stated.items()
        ),
        f"{account.missing} missing": account.missing == 0,
        f"{receipts.unlogged} accepted, but called refused": receipts.unlogged == 0,
        f"{account.accepted} accepted for {account.success} successes": (
            account.success <= account.accepted <= account.success + account.unknown
        ),
        f"{account.deactivated} deactivated for {account.invalid} dead": (
            account.deactivated == account.invalid
        ),
        f"{account.accepted_twice} accepted twice": account.accepted_twice == 0 or may_repeat,
    }
    return [fault for fault, holds in checks.items() if not holds]
