"""An audience: a choice of devices, as one query in the order of their ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Max, QuerySet

from devices.models import DeviceToken
from devices.segments.compiling import Compiler, IdRange
from devices.segments.rules import Rule

WINDOW: Final = 1_000_000
"""Rules are asked of so many ids at a time: a second's reading, however few devices they choose."""


@dataclass(frozen=True, slots=True)
class ByRules:
    """Rules, and the moment that they are applied at: not that of whoever reads them."""

    rule: Rule
    now: datetime


@dataclass(frozen=True, slots=True)
class Audience:
    """Which active devices a campaign reaches: everybody's, those of some users, or by rules.

    Rules choose among everybody's, or among those users'.
    """

    everybody: bool = False
    user_ids: Sequence[str] = ()
    by_rules: ByRules | None = None

    def devices(self, *, within: IdRange | None = None) -> QuerySet[DeviceToken]:
        """Return the audience's active devices, in no order yet, if need be of a range of ids."""
        chosen = DeviceToken.objects.filter(is_active=True)
        if within is not None:
            chosen = chosen.filter(id__gt=within.after, id__lte=within.until)
        if not self.everybody:
            chosen = chosen.filter(user_id__in=list(self.user_ids))
        if self.by_rules is None:
            return chosen
        compiler = Compiler(now=self.by_rules.now, within=within)
        return chosen.filter(compiler.compile(self.by_rules.rule))

    def devices_of_project(
        self, project_id: int, *, after_id: int, until_id: int
    ) -> QuerySet[DeviceToken]:
        """Return those of one project within a range of ids, in ascending order."""
        within = IdRange(after_id, until_id)
        return self.devices(within=within).filter(project_id=project_id).order_by("id")

    def window_end(self, *, after_id: int, until_id: int) -> int:
        """Return up to which id one statement should look, of a range that ends with `until_id`."""
        return until_id if self.by_rules is None else min(after_id + WINDOW, until_id)

    def first_devices(self, project_id: int, *, until_id: int, count: int) -> list[DeviceToken]:
        """Return the first of a project's devices, from the first window that has any."""
        after: int | None = 0
        while after is not None:
            end = self.window_end(after_id=after, until_id=until_id)
            found = self.devices_of_project(project_id, after_id=after, until_id=end)[:count]
            if devices := list(found):
                return devices
            after = next_window(after_id=end, until_id=until_id, project_id=project_id)
        return []

    def projects(self) -> list[int]:
        """Return the projects that have devices in the audience, in ascending order.

        Rules are not asked: that may take long. Those that choose nobody leave a project empty.
        """
        if self.everybody:
            return list(_projects_in_use())
        reached = Audience(user_ids=self.user_ids).devices().order_by("project_id")
        return list(reached.values_list("project_id", flat=True).distinct())


def _projects_in_use() -> Iterator[int]:
    """Yield the projects that have active devices, hopping over an index from one to the next.

    Asked whether a project has any, PostgreSQL reads the table from its beginning, trusting to meet
    one soon: of a project that came late it reads all that were there before.
    """
    devices = DeviceToken.objects.filter(is_active=True).order_by("project_id")
    found = 0
    while project := devices.filter(project_id__gt=found).values_list("project_id")[:1]:
        [[found]] = project
        yield found


def next_window(*, after_id: int, until_id: int, project_id: int | None = None) -> int | None:
    """Return after which id the next active device comes, of a project or any; None: there is none.

    What is between is passed over, however wide the gap.
    """
    rest = DeviceToken.objects.filter(is_active=True, id__gt=after_id, id__lte=until_id)
    if project_id is not None:
        rest = rest.filter(project_id=project_id)
    first = rest.order_by("id").values_list("id", flat=True).first()
    return None if first is None else first - 1


def newest_device_id() -> int:
    """Return the highest device id there is, 0 where there is none."""
    return DeviceToken.objects.aggregate(newest=Max("id"))["newest"] or 0
