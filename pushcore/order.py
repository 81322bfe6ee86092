"""What a sender is asked to do: the devices of a batch, and what is to be sent to them and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from pushcore.gate import Live
from pushcore.messages import AddressKind, Platform, Priority, Template
from pushcore.retry import Guarantee


class Addressed(NamedTuple):
    """One device to be sent to, with what earlier tries left."""

    device_id: int
    address: str
    kind: AddressKind
    platform: Platform
    attempts: int = 0
    """Attempts so far that count (`Report.attempts`)."""
    ambiguous: bool = False
    """Whether an earlier attempt may have been accepted (`Report.ambiguous`)."""
    since: float | None = None
    """When it was first tried, in seconds since the epoch; None: now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be sent to the devices of a batch, and how."""

    template: Template
    priority: Priority
    guarantee: Guarantee
    campaign_key: str
    """Names the campaign to the pacer."""
    deadline: float
    """Nothing starts after it (`time.monotonic`)."""
    poll: Callable[[], Live]
    """Asked at the start and then every half second, between messages: must not take long."""
