"""Campaigns as JSON, in and out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.validators import ProhibitNullCharactersValidator
from rest_framework import serializers
from rest_framework.validators import ProhibitSurrogateCharactersValidator

from campaigns.models import PushCampaign

MAX_TARGET_USERS = 100_000


def refuse_unstorable_texts(value: object) -> None:
    """Refuse texts anywhere inside, keys included, that PostgreSQL cannot hold.

    Raises:
        ValidationError: one has a NUL, or half of a surrogate pair.
    """
    for text in _texts(value):
        ProhibitNullCharactersValidator()(text)
        ProhibitSurrogateCharactersValidator()(text)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


class CampaignSerializer(serializers.ModelSerializer[PushCampaign]):
    """A campaign: what it says and whom it is for can be written, the account only read."""

    data_payload = serializers.DictField(
        child=serializers.CharField(allow_blank=True),
        default=dict,
        validators=[refuse_unstorable_texts],
    )
    platform_overrides = serializers.DictField(
        child=serializers.DictField(),
        default=dict,
        validators=[refuse_unstorable_texts],
    )
    target_user_ids = serializers.ListField(
        child=serializers.CharField(max_length=255), max_length=MAX_TARGET_USERS, default=list
    )
    allowed_moves = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = PushCampaign
        fields = [
            "id",
            "title",
            "message",
            "priority",
            "image_url",
            "link_url",
            "data_payload",
            "platform_overrides",
            "target_all",
            "target_user_ids",
            "time_to_live_s",
            "rate_limit_per_second",
            "guarantee",
            "expires_at",
            "scheduled_at",
            "status",
            "status_reason",
            "allowed_moves",
            "total_recipients",
            "sent_count",
            "success_count",
            "failure_count",
            "invalid_count",
            "unknown_count",
            "skipped_count",
            "started_at",
            "completed_at",
            "created_by",
            "created_at",
        ]
        read_only_fields = [
            "scheduled_at",
            "status",
            "status_reason",
            "total_recipients",
            "sent_count",
            "success_count",
            "failure_count",
            "invalid_count",
            "unknown_count",
            "skipped_count",
            "started_at",
            "completed_at",
            "created_by",
            "created_at",
        ]
        extra_kwargs = {"rate_limit_per_second": {"min_value": 1}}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a campaign for nobody, and one that names users and everybody at once."""
        everybody, users = attrs.get("target_all"), attrs.get("target_user_ids")
        if everybody and users:
            raise serializers.ValidationError(
                {"target_user_ids": "A campaign to everybody (`target_all`) names no users."}
            )
        if not everybody and not users:
            raise serializers.ValidationError(
                {
                    "target_all": "Say whom it is for: `target_user_ids`, or `target_all: true`"
                    " for everybody."
                }
            )
        return attrs


class ScheduleSerializer(serializers.Serializer[Any]):
    """When a campaign is to be started."""

    scheduled_at = serializers.DateTimeField(help_text="A moment to come, with its UTC offset.")


class RateSerializer(serializers.Serializer[Any]):
    """A campaign's own pace."""

    rate_limit_per_second = serializers.IntegerField(
        allow_null=True, min_value=1, max_value=1_000_000, help_text="null for none of its own."
    )


class SentSerializer(serializers.Serializer[Any]):
    """The answer to `/send/`: the campaign is being planned, nothing has been awaited."""

    campaign_id = serializers.IntegerField()
    task_id = serializers.UUIDField()
    status = serializers.CharField()
    priority = serializers.CharField()
    queue = serializers.CharField()


class ProjectStatsSerializer(serializers.Serializer[Any]):
    """One FCM project of a campaign, and why it refuses us, if it does."""

    project_id = serializers.CharField()
    halt_reason = serializers.CharField()


class StatsSerializer(serializers.Serializer[Any]):
    """How far a campaign is: total_recipients = sent + skipped + remaining, always."""

    campaign_id = serializers.IntegerField()
    status = serializers.CharField()
    status_reason = serializers.CharField()
    total_recipients = serializers.IntegerField()
    sent = serializers.IntegerField()
    success = serializers.IntegerField()
    failure = serializers.IntegerField()
    invalid = serializers.IntegerField()
    unknown = serializers.IntegerField()
    skipped = serializers.IntegerField()
    remaining = serializers.IntegerField()
    progress = serializers.FloatField()
    rate_per_second = serializers.FloatField()
    eta_seconds = serializers.FloatField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)
    projects = ProjectStatsSerializer(many=True)
