"""What can go wrong when somebody asks something of a campaign.

CampaignError
├── IllegalMove        the campaign's status does not allow it (409)
├── FieldsRefused      what stands in its fields can't be sent (400)
└── ScheduledInPast    the moment has passed (400)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pushcore.validation import Problem


class CampaignError(Exception):
    """A request to a campaign was refused, and nothing has changed."""


class IllegalMove(CampaignError):
    """The campaign's status does not allow this move."""

    def __init__(self, *, move: str, status: str, allowed: Sequence[str]) -> None:
        self.move = move
        self.status = status
        self.allowed = list(allowed)
        options = ", ".join(self.allowed) or "nothing"
        super().__init__(f"Cannot {move} a campaign that is {status}; allowed now: {options}.")


class NothingToRetry(IllegalMove):
    """Nothing of a completed campaign failed that could be sent again."""

    def __init__(self) -> None:
        super().__init__(move="retry-failed", status="completed", allowed=[])

    def __str__(self) -> str:
        return "There is nothing to retry: no device failed, dead addresses aside."


class FieldsRefused(CampaignError):
    """What stands in the campaign's fields can't be sent; `problems` are named by them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(f"{problem.field}: {problem.message}" for problem in problems))


class ScheduledInPast(CampaignError):
    """A campaign can't be scheduled for a moment that has passed."""

    def __init__(self, scheduled_at: datetime) -> None:
        self.scheduled_at = scheduled_at
        super().__init__(f"{scheduled_at.isoformat()} has passed.")
