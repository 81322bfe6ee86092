"""What the clock on a wall shows, and the moment at which it does.

A clock that is set forward leaves local times out: one of those comes as late as if the clock had
not been set (02:30 is then 03:30), as RFC 5545 has it. A clock that is set back shows some times
twice: the first counts. So every local time has exactly one moment.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

EARLIEST: Final = timezone(timedelta(hours=14))
"""Where each day begins (Kiritimati): no clock on earth is further ahead."""
LATEST: Final = timezone(timedelta(hours=-12))
"""Where each day ends (at sea): no clock on earth is further behind."""


def moment_of(wall: datetime, zone: tzinfo) -> datetime:
    """Return when clocks of the zone show this time, which is given without a zone."""
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def wall_of(moment: datetime, zone: tzinfo) -> datetime:
    """Return what clocks of the zone show then, without a zone."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def first_on_earth(moment: datetime, zone: tzinfo) -> datetime:
    """Return when the first clock on earth shows what the zone's clocks show at the moment."""
    return min(moment, moment_of(wall_of(moment, zone), EARLIEST))


def last_on_earth(moment: datetime, zone: tzinfo) -> datetime:
    """Return when the last clock on earth shows what the zone's clocks show at the moment."""
    return max(moment, moment_of(wall_of(moment, zone), LATEST))
