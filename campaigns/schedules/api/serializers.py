"""Schedules as JSON, in and out."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers

from campaigns.models import PushCampaign
from campaigns.schedules.models import Schedule, ScheduleRun
from campaigns.schedules.services import Upcoming, summary_of_content
from devices.api.bodies import RowField, Strict

_WRITTEN = [
    "cron",
    "timezone",
    "starts_at",
    "ends_at",
    "window_opens",
    "window_closes",
    "max_runs",
    "overlap",
    "max_lateness_s",
]
_READ = [
    "status",
    "next_slot",
    "due_at",
    "waits_because",
    "started_runs",
    "created_by",
    "created_at",
]


_CLOCK = {"format": "%H:%M", "input_formats": ["%H:%M"]}
"""A time of day: to the minute, as cron is; without an offset, as the schedule has a zone."""


class ScheduleSummarySerializer(Strict, serializers.ModelSerializer[Schedule]):
    """A schedule without what it sends."""

    campaign: serializers.PrimaryKeyRelatedField[PushCampaign] = RowField(
        queryset=PushCampaign.objects.only("pk"),
        source="copied_from",
        help_text="What is sent is copied from this campaign whenever it is given.",
    )
    status = serializers.CharField(read_only=True, help_text="active, paused or ended")

    class Meta:
        model = Schedule
        fields = ["id", "name", "campaign", *_WRITTEN, *_READ]
        read_only_fields = _READ
        extra_kwargs = {"window_opens": _CLOCK, "window_closes": _CLOCK}


class ScheduleDetailSerializer(ScheduleSummarySerializer):
    """A schedule, with what it sends."""

    content = serializers.SerializerMethodField(
        help_text="What each run's campaign is made of; named users are only counted."
    )

    class Meta(ScheduleSummarySerializer.Meta):
        fields = [*ScheduleSummarySerializer.Meta.fields, "content"]

    VERSION_FIELDS: ClassVar[frozenset[str]] = frozenset({"name", "campaign", "content", *_WRITTEN})

    def get_content(self, schedule: Schedule) -> dict[str, Any]:
        """Return what each run's campaign is made of."""
        return summary_of_content(schedule.content)


class SchedulePreviewSerializer(ScheduleSummarySerializer):
    """When a schedule would fall due; whose campaign it is may be left open."""

    class Meta(ScheduleSummarySerializer.Meta):
        fields = ["name", "campaign", *_WRITTEN]

    name = serializers.CharField(max_length=200, required=False)
    campaign = serializers.PrimaryKeyRelatedField(
        queryset=PushCampaign.objects.only("pk"), source="copied_from", required=False
    )


class UpcomingRunSerializer(serializers.Serializer[Any]):
    """A run to come."""

    slot = serializers.DateTimeField(help_text="The moment of the cron expression.")
    local = serializers.SerializerMethodField(help_text="The same on the schedule's clocks.")
    begins_at = serializers.DateTimeField(
        help_text="Earlier than the slot where devices get it on their own clocks."
    )

    def get_local(self, run: Upcoming) -> str:
        """Return the slot in RFC 3339, with the offset of the schedule's time zone."""
        return run.local.isoformat()


class ScheduleRunSerializer(serializers.ModelSerializer[ScheduleRun]):
    """What became of a slot."""

    class Meta:
        model = ScheduleRun
        fields = ["slot", "outcome", "reason", "campaign", "decided_at"]
        read_only_fields = fields
