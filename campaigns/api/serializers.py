"""Campaigns as JSON, in and out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import ProhibitNullCharactersValidator
from rest_framework import serializers
from rest_framework.validators import ProhibitSurrogateCharactersValidator

from campaigns.models import PushCampaign
from devices.api.bodies import MomentField, Strict


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


class UserIdsField(serializers.ListField):
    """The application's own user ids; counted before any is looked at."""

    child = serializers.CharField(max_length=255)
    default_error_messages = {
        "too_many": "{count} user ids are more than the {limit} that one campaign may name: "
        "upload them as a list, and name that in `user_list`."
    }

    def to_internal_value(self, data: Any) -> list[str]:
        """Return the ids.

        Raises:
            ValidationError: they are too many, or one of them is none.
        """
        limit = settings.MAX_TARGET_USER_IDS
        if isinstance(data, list) and len(data) > limit:
            self.fail("too_many", count=len(data), limit=limit)
        return super().to_internal_value(data)


class CampaignSerializer(Strict, serializers.ModelSerializer[PushCampaign]):
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
    target_user_ids = UserIdsField(default=list)
    target_user_count = serializers.SerializerMethodField()
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
            "target_user_count",
            "segment",
            "user_list",
            "exclude_segment",
            "exclude_user_list",
            "time_to_live_s",
            "rate_limit_per_second",
            "guarantee",
            "expires_at",
            "local_time",
            "timezone",
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
        extra_kwargs = {
            "rate_limit_per_second": {"min_value": 1},
            "scheduled_at": {"error_messages": {"read_only": "It is set by /schedule/."}},
            "status": {"error_messages": {"read_only": "It is moved by actions such as /send/."}},
        }

    VERSION_FIELDS: ClassVar[frozenset[str]] = frozenset(
        {"status", "scheduled_at", *({*Meta.fields} - {"id", *Meta.read_only_fields})}
    )

    def get_target_user_count(self, campaign: PushCampaign) -> int:
        """How many user ids it names; 0 for everybody."""
        return len(campaign.target_user_ids)


class CampaignSummarySerializer(CampaignSerializer):
    """A campaign without the user ids it names, which may be very many: only how many there are."""

    class Meta(CampaignSerializer.Meta):
        fields = [name for name in CampaignSerializer.Meta.fields if name != "target_user_ids"]

    def get_target_user_count(self, campaign: PushCampaign) -> int:
        """How many user ids it names, as the query has counted them; 0 for everybody."""
        return int(campaign.target_user_count)  # type: ignore[attr-defined]  # annotated


class ScheduleSerializer(Strict):
    """When a campaign is to be started."""

    scheduled_at = MomentField(help_text="A moment to come, with its UTC offset.")


class RateSerializer(Strict):
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


class StatsQuerySerializer(serializers.Serializer[Any]):
    """What to add to the account."""

    by = serializers.CharField(
        default="", help_text="`platform`, `error`, or both with a comma: counted in the ledger."
    )

    def validate_by(self, value: str) -> list[str]:
        """Return the words.

        Raises:
            ValidationError: one of them is none of ours.
        """
        words = [word.strip() for word in value.split(",") if word.strip()]
        if unknown := [word for word in words if word not in {"platform", "error"}]:
            message = f"“{unknown[0]}” is neither `platform` nor `error`."
            raise serializers.ValidationError(message)
        return words


class PlatformCountsSerializer(serializers.Serializer[Any]):
    """The account of one platform."""

    platform = serializers.CharField(
        help_text="Empty for devices that were deleted before they were sent to."
    )
    total = serializers.IntegerField()
    sent = serializers.IntegerField()
    success = serializers.IntegerField()
    failure = serializers.IntegerField()
    invalid = serializers.IntegerField()
    unknown = serializers.IntegerField()
    skipped = serializers.IntegerField()
    remaining = serializers.IntegerField()


class ErrorCountSerializer(serializers.Serializer[Any]):
    """How many devices ended with one error."""

    error = serializers.CharField()
    status = serializers.CharField()
    devices = serializers.IntegerField()


class StatsSerializer(serializers.Serializer[Any]):
    """How far a campaign is: total_recipients = sent + skipped + remaining, always."""

    campaign_id = serializers.IntegerField()
    title = serializers.CharField()
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
    by_platform = PlatformCountsSerializer(many=True, required=False)
    by_error = ErrorCountSerializer(many=True, required=False)
