"""Channels and their deliveries as JSON; what is secret in them goes in and never out."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from campaigns.notifications.channels import MAX_OVERLAP, OVERLAP
from campaigns.notifications.models import Attempt, Channel, ChannelKind, Delivery, Event
from devices.api.bodies import OneOf, Strict


class ChannelSerializer(serializers.ModelSerializer[Channel]):
    """A channel as it is read: its address, or so much of its URL as is no secret."""

    leads_to = serializers.SerializerMethodField()

    class Meta:
        model = Channel
        fields = [
            "id",
            "name",
            "kind",
            "events",
            "leads_to",
            "is_active",
            "disabled_reason",
            "failing_since",
            "created_at",
        ]
        read_only_fields = fields

    def get_leads_to(self, channel: Channel) -> str:
        """Return the e-mail address; of a URL its host or service only."""
        return channel.address or channel.url_hint


class NewChannelSerializer(Strict):
    """What a channel is made from."""

    name = serializers.CharField(max_length=100)
    kind = OneOf(choices=ChannelKind.choices)
    events = serializers.ListField(
        child=OneOf(choices=Event.choices),
        min_length=1,
        max_length=len(Event),
        default=list(Event.values),
    )
    target = serializers.CharField(
        max_length=2_000,
        write_only=True,
        help_text="An e-mail address, an Apprise URL, or a webhook's https URL.",
    )


class ChannelChangeSerializer(Strict):
    """What may be changed of a channel; what is left out stays."""

    name = serializers.CharField(max_length=100, required=False)
    events = serializers.ListField(
        child=OneOf(choices=Event.choices),
        min_length=1,
        max_length=len(Event),
        required=False,
    )
    target = serializers.CharField(max_length=2_000, write_only=True, required=False)
    is_active = serializers.BooleanField(required=False)


class CreatedChannelSerializer(ChannelSerializer):
    """A channel at its creation: with what the receiver of a webhook verifies by."""

    secret = serializers.CharField(help_text="Of a webhook, else empty. Shown only now.")

    class Meta(ChannelSerializer.Meta):
        fields = [*ChannelSerializer.Meta.fields, "secret"]


class RenewalSerializer(Strict):
    """How a webhook's secret is renewed."""

    overlap_s = serializers.IntegerField(
        min_value=0,
        max_value=int(MAX_OVERLAP.total_seconds()),
        default=int(OVERLAP.total_seconds()),
        help_text="For how many seconds messages are signed by the old secret as well.",
    )


class SecretSerializer(serializers.Serializer[Any]):
    """A webhook's new secret."""

    secret = serializers.CharField(help_text="Shown only now.")


class AttemptSerializer(serializers.ModelSerializer[Attempt]):
    """One try, and what was answered."""

    class Meta:
        model = Attempt
        fields = ["attempted_at", "duration_ms", "status_code", "response", "error"]


class NoticeDeliverySerializer(serializers.ModelSerializer[Delivery]):
    """One notice's way to a channel."""

    message_id = serializers.SerializerMethodField()
    event = serializers.CharField(source="notice.event")
    campaign_id = serializers.IntegerField(source="notice.campaign_id", allow_null=True)
    schedule_id = serializers.IntegerField(source="notice.schedule_id", allow_null=True)
    occurred_at = serializers.DateTimeField(source="notice.occurred_at")
    log = AttemptSerializer(many=True)

    class Meta:
        model = Delivery
        fields = [
            "id",
            "message_id",
            "event",
            "campaign_id",
            "schedule_id",
            "occurred_at",
            "state",
            "attempts",
            "due_at",
            "finished_at",
            "log",
        ]

    def get_message_id(self, delivery: Delivery) -> str:
        """Return what a webhook's receiver knows it by, over all retries."""
        return f"msg_{delivery.notice.uid.hex}"
