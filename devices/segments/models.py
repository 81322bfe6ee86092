"""Segments, which choose devices by rules, and lists of user ids that somebody uploaded."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from devices.uploads import Upload


class BuildStatus(models.TextChoices):
    """How far something is that a worker builds."""

    WAITING = "waiting", "a worker will take it"
    RUNNING = "running", "a worker is at it; one that was killed is followed by another"
    COMPLETED = "completed", "whole, and never changed again"
    FAILED = "failed", "given up; `failure` says why"


class UserList(Upload):
    """User ids that somebody uploaded as a file; never changed once it is read in.

    When it is completed, rows = rejected + repeated + size.
    """

    FILE_PREFIX = "list-"

    name = models.CharField(max_length=200, unique=True)
    description = models.TextField(max_length=2_000, blank=True, default="")
    file_format = models.CharField(
        max_length=6, choices=[("text", "text"), ("csv", "csv"), ("ndjson", "ndjson")]
    )
    status = models.CharField(
        max_length=9, choices=BuildStatus, default=BuildStatus.WAITING, db_default="waiting"
    )
    repeated = models.PositiveBigIntegerField(default=0, db_default=0)
    size = models.PositiveBigIntegerField(default=0, db_default=0, help_text="Different user ids.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(status=BuildStatus.COMPLETED)
                | Q(rows=F("rejected") + F("repeated") + F("size")),
                name="user_list_adds_up",
            ),
        ]

    def __str__(self) -> str:
        return f"user list {self.pk}: {self.name}"


class ListMember(models.Model):
    """One user id of a list. The key is all there is: it finds, and it keeps ids from repeating."""

    pk = models.CompositePrimaryKey("user_list", "user_id")
    # Two million checks of a foreign key take longer than the list itself; members come and go
    # with their list, in its transactions.
    user_list = models.ForeignKey(
        UserList, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    user_id = models.CharField(max_length=255)

    def __str__(self) -> str:
        return f"{self.user_id} of user list {self.user_list_id}"


class SegmentKind(models.TextChoices):
    """When a segment's rules are applied."""

    DYNAMIC = "dynamic", "at the launch of each campaign"
    STATIC = "static", "now, and whenever it is refreshed: campaigns get who was in it then"


class Segment(models.Model):
    """Devices chosen by rules."""

    name = models.CharField(max_length=200, unique=True)
    description = models.TextField(max_length=2_000, blank=True, default="")
    kind = models.CharField(max_length=7, choices=SegmentKind)
    rules = models.JSONField(help_text="A tree; see `devices.segments.rules`.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=SegmentKind.values), name="segment_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return f"segment {self.pk}: {self.name}"


class Membership(models.Model):
    """Who was in a static segment at a moment; never changed once it is whole.

    It is written window by window in the order of device ids, as a campaign is planned.
    """

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="memberships")
    rules = models.JSONField(help_text="The segment's, as they were when this was asked for.")
    as_of = models.DateTimeField(help_text="The moment that the rules are applied at.")
    status = models.CharField(
        max_length=9, choices=BuildStatus, default=BuildStatus.WAITING, db_default="waiting"
    )
    through_id = models.BigIntegerField(default=0, help_text="Devices up to this id are decided.")
    until_id = models.BigIntegerField(help_text="The last device id there was at the moment.")
    android = models.PositiveBigIntegerField(default=0, db_default=0)
    ios = models.PositiveBigIntegerField(default=0, db_default=0)
    web = models.PositiveBigIntegerField(default=0, db_default=0)
    updated_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # Two who refresh at once share one evaluation; also finds the unfinished ones.
            models.UniqueConstraint(
                fields=["segment"],
                condition=Q(finished_at__isnull=True),
                name="membership_evaluated_once",
            ),
        ]

    def __str__(self) -> str:
        return f"segment {self.segment_id} as of {self.as_of}"

    @property
    def size(self) -> int:
        """How many devices are in it, as far as it is evaluated."""
        return self.android + self.ios + self.web


class MemberChunk(models.Model):
    """Some devices of a membership, in the order of their ids.

    200 ids stay within their row instead of being stored out of line: looking up one device costs
    one step into the key. A row per device would take six times the room.
    """

    pk = models.CompositePrimaryKey("membership", "first_id")
    membership = models.ForeignKey(
        Membership, on_delete=models.CASCADE, db_index=False, related_name="+"
    )
    first_id = models.BigIntegerField()
    last_id = models.BigIntegerField()
    device_ids = ArrayField(models.BigIntegerField())

    def __str__(self) -> str:
        return f"devices {self.first_id} to {self.last_id} of membership {self.membership_id}"
