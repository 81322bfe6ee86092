"""API keys as JSON."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from rest_framework import serializers

from campaigns.access.keys import OVERLAP
from campaigns.access.models import ApiKey, KeyState
from campaigns.access.scopes import Scope
from devices.api.bodies import MomentField, OneOf, Strict

MAX_OVERLAP = timedelta(days=30)


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    """A key as it is shown: never its text, never its hash."""

    scopes = serializers.ListField(child=OneOf(choices=list(Scope)))
    state = serializers.SerializerMethodField()

    class Meta:
        model = ApiKey
        fields = [
            "id",
            "name",
            "prefix",
            "scopes",
            "state",
            "created_by",
            "created_at",
            "expires_at",
            "revoked_at",
            "last_used_at",
            "replaces",
        ]
        read_only_fields = fields

    def get_state(self, key: ApiKey) -> KeyState:
        """Return whether it opens anything now."""
        return key.state(now=timezone.now())


class NewKeySerializer(ApiKeySerializer):
    """A key that was just issued: the only time that its text is shown."""

    key = serializers.CharField(
        help_text="The key itself, to be sent as `Authorization: Api-Key <key>`. It is kept"
        " nowhere and shown this once."
    )

    class Meta(ApiKeySerializer.Meta):
        fields = ["key", *ApiKeySerializer.Meta.fields]
        read_only_fields = fields


class KeyRequestSerializer(Strict):
    """What a new key is to be."""

    name = serializers.CharField(max_length=100, help_text="What uses it.")
    scopes = serializers.ListField(
        child=OneOf(choices=list(Scope)),
        allow_empty=False,
        max_length=len(Scope),
    )
    expires_at = MomentField(
        allow_null=True, default=None, help_text="From then on it opens nothing; null for never."
    )


class RotationSerializer(Strict):
    """How a key is to be replaced by a new one."""

    overlap_s = serializers.IntegerField(
        min_value=0,
        max_value=int(MAX_OVERLAP.total_seconds()),
        default=int(OVERLAP.total_seconds()),
        help_text="For how many seconds the old key goes on opening what it opened.",
    )
