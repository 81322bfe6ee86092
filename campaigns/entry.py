"""The account of one batch in memory, while it is being worked on; `campaigns.ledger` keeps it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import repeat
from typing import NamedTuple

from campaigns.models import DeliveryBatch, PushCampaign
from devices.models import FcmProject
from pushcore.outcomes import Outcome


class Counts(NamedTuple):
    """How many devices of a batch have which final outcome."""

    success: int
    failure: int
    invalid: int
    unknown: int
    skipped: int

    @classmethod
    def of(cls, outcomes: Sequence[int]) -> Counts:
        """Count a batch's outcomes; pending ones count nowhere."""
        found = Counter(outcomes)
        invalid = found[Outcome.INVALID_TOKEN]
        return cls(
            success=found[Outcome.SUCCESS],
            failure=found[Outcome.FAILED] + invalid,
            invalid=invalid,
            unknown=found[Outcome.UNKNOWN],
            skipped=found[Outcome.SKIPPED],
        )

    def minus(self, other: Counts) -> Counts:
        """Return the difference, field by field."""
        return Counts(*(mine - theirs for mine, theirs in zip(self, other, strict=True)))


class Waiting(NamedTuple):
    """What is remembered of a device that is to be sent again."""

    attempts: int
    ambiguous: bool
    since: float
    """When it was first tried (seconds since the epoch)."""
    due: float
    """Not to be tried again before (seconds since the epoch)."""
    code: str
    """Why the last attempt did not settle it."""


def storable(text: str) -> str:
    """Return the text without NULs, which PostgreSQL cannot hold: a proxy may answer anything."""
    return text.replace("\0", "")


ByPlatform = dict[str, list[int]]
"""Platform → how many of its devices have each outcome, in the order of their numbers."""


@dataclass(slots=True)
class Entry:
    """The ledger's account of one batch while a worker holds it."""

    batch: DeliveryBatch
    attempt: int
    """The holder's fencing number."""
    device_ids: list[int]
    outcomes: list[int]
    message_ids: list[str | None]
    errors: dict[str, dict[str, str]]
    retries: dict[int, Waiting]
    maybe_sent: bool
    crashes: int
    sent_at: datetime | None
    """When it was last claimed: what was due then is what its holder sends."""
    counted: Counts
    """What the campaign's counters hold of it already."""
    by_platform: ByPlatform
    """As it was when the account was opened; `by_platform_now` follows."""
    sent: Counter[tuple[str, int]] = field(default_factory=Counter)
    """How many of those that were sent to have (platform, outcome)."""
    started: bool = False
    """Whether a message of this claim may have left."""
    dead: list[tuple[int, str]] = field(default_factory=list)
    """Devices (id, address) that the provider called dead, to be deactivated on settling."""

    @classmethod
    def of(cls, batch: DeliveryBatch) -> Entry:
        """Open a batch's account."""
        size = len(batch.device_ids)
        return cls(
            batch=batch,
            attempt=batch.attempt,
            device_ids=batch.device_ids,
            outcomes=batch.outcomes or [int(Outcome.PENDING)] * size,
            message_ids=[*(batch.message_ids or repeat(None, size))],
            errors=batch.errors,
            retries={int(place): Waiting(*kept) for place, kept in batch.retries.items()},
            maybe_sent=batch.maybe_sent,
            crashes=batch.crashes,
            sent_at=batch.sent_at,
            counted=Counts.of(batch.outcomes or []),
            by_platform=batch.by_platform,
        )

    def by_platform_now(self) -> ByPlatform | None:
        """Return the account by platform; None where it does not follow from what was sent.

        So it is where a device was settled without being sent to, or is of another platform by now.
        """
        account = {platform: [*counts] for platform, counts in self.by_platform.items()}
        for (platform, outcome), devices in self.sent.items():
            counts = account.setdefault(platform, [0] * len(Outcome))
            counts[Outcome.PENDING] -= devices
            counts[outcome] += devices
        if any(counts[Outcome.PENDING] < 0 for counts in account.values()):
            return None
        found = Counter(self.outcomes)
        whole = [sum(counts) for counts in zip(*account.values(), strict=True)]
        return account if whole == [found[outcome] for outcome in Outcome] else None

    def count_by_platform(self, platforms: Iterable[str]) -> ByPlatform:
        """Return the account by platform, from the platform of each device."""
        account: ByPlatform = {}
        for platform, outcome in zip(platforms, self.outcomes, strict=True):
            account.setdefault(platform, [0] * len(Outcome))[outcome] += 1
        return account

    @property
    def campaign(self) -> PushCampaign:
        """Whose batch it is; read when first asked for."""
        return self.batch.campaign

    @property
    def project(self) -> FcmProject:
        """Over which FCM project it goes; read when first asked for."""
        return self.batch.project

    def due(self, now: datetime) -> list[int]:
        """Return the places of the devices that are to be sent now."""
        stamp = now.timestamp()
        pending = int(Outcome.PENDING)
        waits = {place for place, kept in self.retries.items() if kept.due > stamp}
        return [
            place
            for place, outcome in enumerate(self.outcomes)
            if outcome == pending and place not in waits
        ]

    def settle_device(
        self, place: int, outcome: Outcome, *, code: str = "", detail: str = ""
    ) -> None:
        """Write one device's final outcome; its reason too where that is no success."""
        self.outcomes[place] = int(outcome)
        self.retries.pop(place, None)
        if code:
            said = {"detail": storable(detail)} if detail else {}
            self.errors[str(place)] = {"code": code} | said

    def settle_pending(self, outcome: Outcome, *, code: str, detail: str = "") -> None:
        """Give every device that is still pending the same final outcome."""
        for place, current in enumerate(self.outcomes):
            if current == Outcome.PENDING:
                self.settle_device(place, outcome, code=code, detail=detail)

    def lose_in_flight(self, *, code: str, detail: str = "") -> None:
        """Write what its holder may have sent without hearing of it, and won't send again."""
        for place in self.due(self.sent_at) if self.sent_at else ():
            self.settle_device(place, Outcome.UNKNOWN, code=code, detail=detail)

    def close_pending(self) -> None:
        """End what is pending without sending it: unknown where it may have been accepted."""
        for place, current in enumerate(self.outcomes):
            if current == Outcome.PENDING:
                waiting = self.retries.get(place)
                sent = self.maybe_sent or (waiting is not None and waiting.ambiguous)
                self.settle_device(place, Outcome.UNKNOWN if sent else Outcome.SKIPPED)
