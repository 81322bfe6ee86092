"""Devices and imports as JSON, in and out. What may go in is said by `devices.rules` alone."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from devices import values
from devices.api.uploads import UploadSerializer
from devices.models import DeviceImport, DeviceToken
from pushcore.messages import AddressKind, Platform


class DeviceSerializer(serializers.ModelSerializer[DeviceToken]):
    """A device as it is stored."""

    project = serializers.CharField(source="project.project_id", read_only=True)
    tags = serializers.DictField(read_only=True)

    class Meta:
        model = DeviceToken
        fields = [
            "id",
            "project",
            "user_id",
            "address",
            "address_kind",
            "platform",
            "is_active",
            "inactive_reason",
            "inactive_since",
            "language",
            "country",
            "timezone",
            "app_version",
            "tags",
            "last_seen_at",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields


class _KnownSerializer(serializers.Serializer[Any]):
    """What may be known of a device."""

    language = serializers.CharField(required=False, allow_blank=True, help_text="BCP 47: `pt-BR`")
    country = serializers.CharField(required=False, allow_blank=True, help_text="ISO 3166-1: `BR`")
    timezone = serializers.CharField(
        required=False, allow_blank=True, help_text="IANA: `America/Sao_Paulo`"
    )
    app_version = serializers.CharField(
        required=False, allow_blank=True, max_length=values.MAX_APP_VERSION
    )
    tags = serializers.DictField(
        required=False, help_text=f"Up to {values.MAX_TAGS} texts, numbers, true or false."
    )


class ChangesSerializer(_KnownSerializer):
    """What can be changed of a device; for the schema only."""

    user_id = serializers.CharField(max_length=values.MAX_USER_ID, required=False)
    platform = serializers.ChoiceField([one.value for one in Platform], required=False)
    is_active = serializers.BooleanField(required=False)


class RegistrationSerializer(_KnownSerializer):
    """What can be given of a device; for the schema only."""

    project = serializers.CharField(
        required=False, help_text="The FCM project's id; may be left out where there is just one."
    )
    user_id = serializers.CharField(max_length=values.MAX_USER_ID)
    address = serializers.CharField(max_length=values.MAX_ADDRESS)
    address_kind = serializers.ChoiceField([one.value for one in AddressKind], required=False)
    platform = serializers.ChoiceField([one.value for one in Platform])
    last_seen_at = serializers.DateTimeField(required=False, help_text="RFC 3339")


class RowErrorSerializer(serializers.Serializer[Any]):
    """A broken rule of one row."""

    index = serializers.IntegerField(help_text="The row, from 0.")
    field = serializers.CharField(help_text="Empty where the row is no device at all.")
    reason = serializers.CharField()


class RepeatedSerializer(serializers.Serializer[Any]):
    """A row that a later one for the same address made void."""

    index = serializers.IntegerField()
    superseded_by = serializers.IntegerField()


class BulkResultSerializer(serializers.Serializer[Any]):
    """What a bulk call did."""

    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    errors = RowErrorSerializer(many=True)  # type: ignore[assignment]  # DRF takes it off the class
    repeated = RepeatedSerializer(many=True)


class ImportSerializer(UploadSerializer[DeviceImport]):
    """How far an import is; when completed, rows = rejected + … + repeated."""

    project = serializers.CharField(
        source="project.project_id", read_only=True, default=None, allow_null=True
    )
    rejects_route = "device-import-rejects"

    class Meta:
        model = DeviceImport
        fields = [
            "id",
            "status",
            "failure",
            "file_format",
            "project",
            "total_bytes",
            "bytes_read",
            "rows",
            "rejected",
            "created",
            "updated",
            "unchanged",
            "repeated",
            "rejects",
            "created_by",
            "created_at",
            "finished_at",
        ]
        read_only_fields = fields
