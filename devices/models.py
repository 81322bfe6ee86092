"""Devices and the FCM projects they belong to."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from devices.uploads import Upload
from pushcore.messages import AddressKind, Platform


def validate_credentials_reference(reference: str) -> None:
    """Refuse what is no reference: a key pasted in would lie in the database in clear.

    Raises:
        ValidationError: it begins with none of the schemes; the value is not repeated.
    """
    if not reference.startswith(("file:/", "env:", "encrypted:")):
        message = "Name where the key is: file:/path, env:NAME, or encrypted:… (never the key)."
        raise ValidationError(message)


class FcmProject(models.Model):
    """One Firebase project: credentials to send with, and a quota that all workers share."""

    project_id = models.CharField(
        max_length=63,
        unique=True,
        validators=[RegexValidator(r"^[a-z][a-z0-9-]{4,62}$", "This is no Google project id.")],
        help_text="The Google Cloud project's id, as in the service account's key.",
    )
    credentials = models.TextField(
        validators=[validate_credentials_reference],
        help_text="`file:/path`, `env:NAME`, or `encrypted:` with a key made by this installation.",
    )
    quota_per_minute = models.PositiveIntegerField(
        default=600_000,
        help_text="Messages a minute that the provider grants the project; 0 for no pacing.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.project_id


class InactiveReason(models.TextChoices):
    """Why a device is not sent to."""

    NONE = "", "active"
    DEAD_ADDRESS = "dead_address", "the provider called the address dead"
    REQUESTED = "requested", "deactivated by the application"
    STALE = "stale", "not seen for too long"


class AddressDigest(models.Func):
    """The fixed-length digest of an address: 16 bytes of its SHA-256, as a UUID."""

    function = "pushcore_address_digest"
    output_field = models.UUIDField()


class DeviceToken(models.Model):
    """One installation of the app on one device: an address and what is known about it."""

    # Both indexes below that begin with the project serve it; one of its own slows every insert.
    project = models.ForeignKey(
        FcmProject, on_delete=models.PROTECT, related_name="devices", db_index=False
    )
    user_id = models.CharField(max_length=255, help_text="The application's own id of its user.")
    address = models.CharField(max_length=4096)
    address_kind = models.CharField(
        max_length=5,
        choices=[(kind.value, kind.value) for kind in AddressKind],
        default=AddressKind.TOKEN.value,
        db_default=AddressKind.TOKEN.value,
    )
    address_digest = models.GeneratedField(
        expression=AddressDigest("address"), output_field=models.UUIDField(), db_persist=True
    )
    platform = models.CharField(max_length=7, choices=[(one.value, one.value) for one in Platform])
    is_active = models.BooleanField(default=True, db_default=True)
    inactive_reason = models.CharField(
        max_length=16, choices=InactiveReason, default="", db_default="", blank=True
    )
    inactive_since = models.DateTimeField(null=True, blank=True)
    language = models.CharField(max_length=35, default="", db_default="", blank=True)
    country = models.CharField(max_length=2, default="", db_default="", blank=True)
    timezone = models.CharField(max_length=64, default="", db_default="", blank=True)
    app_version = models.CharField(max_length=64, default="", db_default="", blank=True)
    tags = models.JSONField(default=dict, db_default={}, blank=True)
    last_seen_at = models.DateTimeField(db_default=Now())
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            # An upsert finds a device by its address. Fixed-length, because an index over a
            # million addresses of 150 characters costs ten times as much to build.
            models.UniqueConstraint(
                fields=["project", "address_digest"], name="device_address_once"
            ),
            models.CheckConstraint(condition=~Q(address=""), name="device_has_address"),
            models.CheckConstraint(
                condition=Q(platform__in=[one.value for one in Platform]),
                name="device_platform_known",
            ),
            models.CheckConstraint(
                condition=Q(address_kind__in=[kind.value for kind in AddressKind]),
                name="device_kind_known",
            ),
            models.CheckConstraint(
                condition=Q(is_active=True, inactive_reason="")
                | (Q(is_active=False) & ~Q(inactive_reason="")),
                name="device_inactive_with_reason",
            ),
        ]
        indexes = [
            # The planner walks a project's active devices in the order of their ids.
            models.Index(
                fields=["project", "id"],
                condition=Q(is_active=True),
                name="device_audience_order",
            ),
            # "All devices of this user": registration, targeting by user, support.
            models.Index(fields=["user_id"], name="device_of_user"),
            # Segments over facts count it without the table. The versions come first because
            # comparing them hops over the different ones. Last seen is not in any index: every
            # start of the app updates it, and stays within its page (HOT) as long as none has it.
            models.Index(
                fields=["app_version", "country", "language", "platform", "timezone"],
                condition=Q(is_active=True),
                name="device_facts",
            ),
            # No index over tags: it would take a quarter of the time of an import, and keep every
            # update of a tag from staying within its page. Segments by tag read, or sample.
        ]

    def __str__(self) -> str:
        return f"device {self.pk} ({self.platform})"


class ImportStatus(models.TextChoices):
    """How far an uploaded file is."""

    WAITING = "waiting", "uploaded; a worker will take it"
    RUNNING = "running", "a worker reads or merges it; one that was killed is followed by another"
    COMPLETED = "completed", "every row is merged or among the rejects"
    FAILED = "failed", "the file is none of devices, or not there; `failure` says why"


class DeviceImport(Upload):
    """An uploaded file of devices, and what became of its rows.

    When it is completed, rows = rejected + created + updated + unchanged + repeated.
    """

    file_format = models.CharField(max_length=6, choices=[("csv", "csv"), ("ndjson", "ndjson")])
    project = models.ForeignKey(
        FcmProject, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    status = models.CharField(
        max_length=9, choices=ImportStatus, default=ImportStatus.WAITING, db_default="waiting"
    )
    created = models.PositiveBigIntegerField(default=0, db_default=0)
    updated = models.PositiveBigIntegerField(default=0, db_default=0)
    unchanged = models.PositiveBigIntegerField(default=0, db_default=0)
    repeated = models.PositiveBigIntegerField(default=0, db_default=0)

    class Meta:
        indexes = [
            # "Is there one that nobody works on?", asked every minute.
            models.Index(
                fields=["id"],
                condition=Q(finished_at__isnull=True),
                name="device_import_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return f"import {self.pk} ({self.status})"
