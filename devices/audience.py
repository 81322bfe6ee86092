"""An audience: a choice of devices, as one query in the order of their ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Exists, Max, OuterRef, QuerySet

from devices.models import DeviceToken, FcmProject


@dataclass(frozen=True)
class Audience:
    """Which active devices a campaign reaches: everybody's, or those of some users."""

    everybody: bool = False
    user_ids: Sequence[str] = ()

    def devices(self) -> QuerySet[DeviceToken]:
        """Return the audience's active devices, in no order yet."""
        active = DeviceToken.objects.filter(is_active=True)
        if self.everybody:
            return active
        return active.filter(user_id__in=list(self.user_ids))

    def devices_of_project(
        self, project_id: int, *, after_id: int, until_id: int
    ) -> QuerySet[DeviceToken]:
        """Return those of one project within a range of ids, in ascending order."""
        return (
            self.devices()
            .filter(project_id=project_id, id__gt=after_id, id__lte=until_id)
            .order_by("id")
        )

    def projects(self) -> list[int]:
        """Return the projects that have devices in the audience, in ascending order."""
        reached = self.devices().filter(project=OuterRef("pk"))
        return list(
            FcmProject.objects.filter(Exists(reached)).order_by("pk").values_list("pk", flat=True)
        )


def newest_device_id() -> int:
    """Return the highest device id there is, 0 where there is none."""
    return DeviceToken.objects.aggregate(newest=Max("id"))["newest"] or 0
