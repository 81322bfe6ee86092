"""The provider's answer → what became of the device: fcm.md's error table as one pure function."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import NamedTuple


class Outcome(IntEnum):
    """What became of one device in one campaign. Stored in the ledger: never renumber."""

    PENDING = 0
    """Not settled: not tried yet, or to be tried again. The only state that anything leaves."""
    SUCCESS = 1
    """Accepted by the provider (which is not yet: shown on the device)."""
    INVALID_TOKEN = 2
    """Refused because the address is dead; the device is deactivated. Counts as a failure."""
    FAILED = 3
    """Refused for good, or given up on after refusals that surely reached nobody."""
    UNKNOWN = 4
    """May or may not have been accepted, and will not be tried again."""
    SKIPPED = 5
    """Never sent: cancelled, expired, or inactive by the time its turn came."""

    @property
    def is_failure(self) -> bool:
        """Whether it counts into `failure_count`."""
        return self in (Outcome.INVALID_TOKEN, Outcome.FAILED)


class Trouble(StrEnum):
    """What an answer says about more than its own device: the breakers listen to these."""

    NONE = "none"
    PAYLOAD = "payload"
    """The message itself is refused, whoever it is for: the campaign fails."""
    PROJECT = "project"
    """The project is refused (IAM, API disabled, wrong project): its campaigns pause."""
    ACCESS_TOKEN = "access_token"
    """Our access token is refused: refresh once, a second time pauses the project."""
    PLATFORM = "platform"
    """One platform's key (APNs, web push) is broken: that platform's devices fail."""
    PROJECT_QUOTA = "project_quota"
    """The project's quota is used up: every worker of the project waits."""
    MISMATCH = "mismatch"
    """The address belongs to another sender; a high share of these pauses the project."""


class Verdict(NamedTuple):
    """What one answer means, before any policy: `pushcore.retry` makes a decision of it."""

    outcome: Outcome
    """The final outcome; PENDING where it is worth trying again."""
    code: str = ""
    """A stable, short code of the reason (`UNREGISTERED`, `UNAVAILABLE`, `TIMEOUT`); "" for success."""
    message_id: str = ""
    """The provider's message id, where accepted: the part after `messages/`."""
    ambiguous: bool = False
    """Whether the provider may have accepted the message in spite of this answer."""
    retry_now: bool = False
    """Whether the message surely never reached the provider, so that no waiting is asked for."""
    retry_after_s: float | None = None
    """The provider's Retry-After in seconds from now, where it sent one."""
    trouble: Trouble = Trouble.NONE
    """What the answer says about project, platform or payload."""
    detail: str = ""
    """The provider's own words (bounded), kept for refusals that are not self-explaining."""
