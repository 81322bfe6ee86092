"""The statuses of campaigns and batches, and the moves between them.

    draft ──► scheduled ──► processing ⇄ paused
      │           │           │    │        │
      └───────────┴──► cancelled ◄─┼────────┘
                                   ├──► completed ──► processing   (retry of what failed)
                                   └──► failed

Each status says what it means and who moves it on. `campaigns.transitions` makes the moves, with
UPDATEs that name the statuses they may come from: the count of rows says who won.
"""

from __future__ import annotations

from enum import StrEnum

from django.db import models


class CampaignStatus(models.TextChoices):
    """How far a campaign is."""

    DRAFT = "draft"
    """Being written. A person schedules or launches it."""
    SCHEDULED = "scheduled"
    """Waiting for `scheduled_at`. The scheduler launches it; a person may take it back."""
    PROCESSING = "processing"
    """Being planned and sent. The ledger completes it; a person pauses or cancels it."""
    PAUSED = "paused"
    """Nothing new is sent; what was in flight settles. A person resumes or cancels it."""
    COMPLETED = "completed"
    """Every device has its final outcome. Left only to send again what failed."""
    CANCELLED = "cancelled"
    """Stopped by a person or by its expiry; what had not been sent is skipped. Final."""
    FAILED = "failed"
    """The provider refuses the message itself, whoever it is for. Final."""


class Move(StrEnum):
    """What can be done to a campaign."""

    SCHEDULE = "schedule"
    UNSCHEDULE = "unschedule"
    SEND = "send"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    COMPLETE = "complete"
    FAIL = "fail"
    RETRY_FAILED = "retry-failed"


MOVES: dict[Move, tuple[frozenset[CampaignStatus], CampaignStatus]] = {
    Move.SCHEDULE: (
        frozenset({CampaignStatus.DRAFT, CampaignStatus.SCHEDULED}),
        CampaignStatus.SCHEDULED,
    ),
    Move.UNSCHEDULE: (frozenset({CampaignStatus.SCHEDULED}), CampaignStatus.DRAFT),
    Move.SEND: (
        frozenset({CampaignStatus.DRAFT, CampaignStatus.SCHEDULED}),
        CampaignStatus.PROCESSING,
    ),
    Move.PAUSE: (frozenset({CampaignStatus.PROCESSING}), CampaignStatus.PAUSED),
    Move.RESUME: (frozenset({CampaignStatus.PAUSED}), CampaignStatus.PROCESSING),
    Move.CANCEL: (
        frozenset(
            {
                CampaignStatus.DRAFT,
                CampaignStatus.SCHEDULED,
                CampaignStatus.PROCESSING,
                CampaignStatus.PAUSED,
            }
        ),
        CampaignStatus.CANCELLED,
    ),
    Move.COMPLETE: (frozenset({CampaignStatus.PROCESSING}), CampaignStatus.COMPLETED),
    Move.FAIL: (
        frozenset({CampaignStatus.PROCESSING, CampaignStatus.PAUSED}),
        CampaignStatus.FAILED,
    ),
    Move.RETRY_FAILED: (frozenset({CampaignStatus.COMPLETED}), CampaignStatus.PROCESSING),
}
"""Each move: the statuses it may come from, and the one it leads to."""

# The engine's own moves: nobody asks for them by name.
_OF_THE_ENGINE = frozenset({Move.COMPLETE, Move.FAIL})

STOPPED = frozenset({CampaignStatus.CANCELLED, CampaignStatus.FAILED})
"""Statuses in which nothing more is sent, ever: what is left in the ledger is skipped."""

ENDED = STOPPED | {CampaignStatus.COMPLETED}
"""Statuses in which nothing is being sent and nothing waits to be."""


def moves_from(status: str) -> list[str]:
    """Return what a person may do to a campaign in this status, in alphabetical order."""
    return sorted(
        move.value
        for move, (sources, _) in MOVES.items()
        if move not in _OF_THE_ENGINE and status in sources
    )


class BatchState(models.TextChoices):
    """How far a batch is."""

    PENDING = "pending"
    """Something in it is to be sent (from `retry_at` on, if set). A worker claims it."""
    SENDING = "sending"
    """Claimed: one worker sends it until `lease_until`. It settles, or the rescue takes over."""
    SETTLED = "settled"
    """Every device in it has its final outcome. Left only to send again what failed."""
    CANCELLED = "cancelled"
    """Settled by the campaign's end: what had not been sent is skipped. Final."""


QUEUES = {"high": "high_priority", "normal": "default", "low": "low_priority"}
"""The queue that everything of a campaign travels on, by its priority."""
