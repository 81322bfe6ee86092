"""When a schedule falls due: a cron expression on the clocks of a time zone.

Times of day (`30 2 * * *`) are the clock's, as `campaigns.wall_time` has it: one that is left out
when clocks are set forward comes by as much later, one that is shown twice when they are set back
is the first. Intervals (an hour of `*` or `*/n`) are elapsed time: every real hour counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from campaigns.wall_time import first_on_earth, last_on_earth, moment_of, wall_of
from devices.places import is_timezone
from pushcore.validation import Problem

_ANY_DAY: Final = datetime(2000, 1, 1)  # noqa: DTZ001 - only parsed from, never compared
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Window:
    """The hours of the day within which runs may begin; over midnight where it closes earlier."""

    opens: time
    closes: time
    """No longer within it."""

    def holds(self, moment: time) -> bool:
        """Tell whether this time of day is within the window."""
        if self.opens < self.closes:
            return self.opens <= moment < self.closes
        return moment >= self.opens or moment < self.closes


@dataclass(frozen=True, kw_only=True)
class Recurrence:
    """When something comes again. What `problems` is silent about can be iterated by `slots`."""

    cron: str
    """Five fields: minute, hour, day of the month, month, day of the week."""
    timezone: str
    """An IANA name: whose clocks the cron expression and the window speak of."""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    """The last moment at which a slot may fall."""
    window: Window | None = None
    begins_early: bool = False
    """Whether it is for the devices' own clocks, so that it begins with the first of them."""

    def problems(self, *, now: datetime) -> list[Problem]:
        """Return what is wrong with it, by the fields of a schedule; empty where all is well."""
        found = [*self._problems_of_clock(), *self._problems_of_span(now)]
        if not found and next(self.upcoming(now=now), None) is None:
            found.append(Problem("cron", "range", "It never falls due between now and its end."))
        return found

    def _problems_of_clock(self) -> Iterator[Problem]:
        if not is_timezone(self.timezone):
            yield Problem("timezone", "unknown", "There is no such time zone in the IANA database.")
        try:
            cron = _parsed(self.cron)
        except CronSimError as refusal:
            yield Problem("cron", "format", _reason(refusal))
            return
        if self.window is None:
            return
        if self.window.opens == self.window.closes:
            yield Problem("window_closes", "range", "The window is never open.")
        elif not any(
            self.window.holds(time(hour, minute)) for hour in cron.hours for minute in cron.minutes
        ):
            yield Problem("cron", "range", "It never falls due within the window.")

    def _problems_of_span(self, now: datetime) -> Iterator[Problem]:
        if self.ends_at is None:
            return
        if self.starts_at is not None and self.ends_at < self.starts_at:
            yield Problem("ends_at", "range", "It ends before it starts.")
        elif self.ends_at <= now:
            yield Problem("ends_at", "range", "Has passed.")

    def begins_at(self, slot: datetime) -> datetime:
        """Return when what falls due at the slot is to begin."""
        return first_on_earth(slot, ZoneInfo(self.timezone)) if self.begins_early else slot

    def last_begins_at(self, slot: datetime) -> datetime:
        """Return when its last devices' turn comes."""
        return last_on_earth(slot, ZoneInfo(self.timezone)) if self.begins_early else slot

    def upcoming(self, *, now: datetime, after: datetime | None = None) -> Iterator[datetime]:
        """Yield the slots, after the given one, whose beginning is still to come."""
        for slot in self.slots(after=max(now, after or now)):
            if self.begins_at(slot) > now:
                yield slot

    def slots(self, *, after: datetime) -> Iterator[datetime]:
        """Yield the moments at which it falls due, ascending, in UTC, each once."""
        last = after
        if self.starts_at is not None and self.starts_at > after:
            last = self.starts_at - timedelta(microseconds=1)
        try:
            for slot in self._candidates(last):
                if self.ends_at is not None and slot > self.ends_at:
                    return
                if slot > last and self._is_open_at(slot):
                    last = slot
                    yield slot
        except (OverflowError, ValueError):
            return  # the calendar ends with the year 9999

    def _candidates(self, after: datetime) -> Iterator[datetime]:
        """Yield slots, from somewhat before `after` on; some may come twice around a change."""
        zone = ZoneInfo(self.timezone)
        if _is_interval(self.cron):
            yield from (slot.astimezone(UTC) for slot in CronSim(self.cron, after.astimezone(zone)))
            return
        # A time that was left out may be still to come though the clock is past it.
        set_forward = _offset(after, zone) - _offset(after - _DAY, zone)
        start = wall_of(after, zone) - max(set_forward, timedelta(0))
        yield from (moment_of(wall, zone) for wall in CronSim(self.cron, start))

    def _is_open_at(self, slot: datetime) -> bool:
        return self.window is None or self.window.holds(
            wall_of(slot, ZoneInfo(self.timezone)).time()
        )


def _parsed(cron: str) -> CronSim:
    if len(cron.split()) != 5:
        message = "Wrong number of fields"
        raise CronSimError(message)
    return CronSim(cron, _ANY_DAY)


def _reason(refusal: CronSimError) -> str:
    words = str(refusal)
    if words.startswith("Bad "):
        return f"The {words.removeprefix('Bad ')} is wrong or never comes."
    return "Must have five fields: minute, hour, day of the month, month, day of the week."


def _is_interval(cron: str) -> bool:
    return cron.split()[1].startswith("*")


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)
