"""Campaigns, and the ledger that accounts for every device of theirs."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from campaigns import runs  # noqa: F401 -- Django looks for models here
from campaigns.states import QUEUES, BatchState, CampaignStatus, moves_from
from devices.models import DeviceToken, FcmProject
from devices.segments.models import Segment, UserList
from pushcore.messages import Content, Priority
from pushcore.retry import Guarantee


def _counter() -> models.PositiveBigIntegerField:  # type: ignore[type-arg]
    return models.PositiveBigIntegerField(default=0, db_default=0, editable=False)


def _audience_part(kind: type[Segment | UserList]) -> models.ForeignKey[Any, Any]:
    # Only what no campaign waits for or is planned by is ever deleted: `campaigns.audiences`.
    return models.ForeignKey(
        kind, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )


def _at_most_one_audience() -> Q:
    unnamed = {
        "target_all": False,
        "target_user_ids": [],
        "segment__isnull": True,
        "user_list__isnull": True,
    }
    return reduce(
        or_, (Q(**{name: unnamed[name] for name in unnamed if name != one}) for one in unnamed)
    )


class PushCampaign(models.Model):
    """One message to an audience, and the running account of what became of it.

    Counters move only in the transaction that settles a batch, by `F()`; a status only by a
    guarded UPDATE in `campaigns.transitions`. Neither is ever saved from an instance.
    """

    title = models.CharField(max_length=200)
    message = models.TextField(max_length=4000)
    priority = models.CharField(
        max_length=6,
        choices=[(one.value, one.value) for one in Priority],
        default=Priority.NORMAL.value,
    )
    image_url = models.URLField(max_length=2000, blank=True, default="")
    link_url = models.CharField(max_length=2000, blank=True, default="")
    data_payload = models.JSONField(blank=True, default=dict)
    platform_overrides = models.JSONField(blank=True, default=dict)

    target_all = models.BooleanField(default=False)
    target_user_ids = ArrayField(models.CharField(max_length=255), blank=True, default=list)
    segment = _audience_part(Segment)
    user_list = _audience_part(UserList)
    exclude_segment = _audience_part(Segment)
    exclude_user_list = _audience_part(UserList)
    fixed_rules = models.JSONField(
        null=True,
        editable=False,
        help_text="What the four above came to at the launch; null where none of them is named.",
    )

    time_to_live_s = models.PositiveIntegerField(null=True, blank=True)
    rate_limit_per_second = models.PositiveIntegerField(null=True, blank=True)
    guarantee = models.CharField(
        max_length=13,
        choices=[(one.value, one.value) for one in Guarantee],
        default=Guarantee.AT_LEAST_ONCE.value,
    )
    expires_at = models.DateTimeField(null=True, blank=True)

    status = models.CharField(
        max_length=10,
        choices=CampaignStatus,
        default=CampaignStatus.DRAFT,
        db_default=CampaignStatus.DRAFT,
        editable=False,
    )
    status_reason = models.TextField(blank=True, default="", db_default="", editable=False)
    task_id = models.UUIDField(null=True, editable=False)
    scheduled_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, editable=False)
    completed_at = models.DateTimeField(null=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    engine_failures = models.PositiveSmallIntegerField(
        default=0,
        db_default=0,
        editable=False,
        help_text="How often our own code failed over it without any progress since: bounded.",
    )

    total_recipients = _counter()
    sent_count = _counter()
    success_count = _counter()
    failure_count = _counter()
    invalid_count = _counter()
    unknown_count = _counter()
    skipped_count = _counter()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=CampaignStatus.values), name="campaign_status_legal"
            ),
            models.CheckConstraint(
                condition=Q(priority__in=[one.value for one in Priority]),
                name="campaign_priority_legal",
            ),
            models.CheckConstraint(
                condition=Q(sent_count=F("success_count") + F("failure_count") + F("unknown_count"))
                & Q(total_recipients__gte=F("sent_count") + F("skipped_count"))
                & Q(failure_count__gte=F("invalid_count")),
                name="campaign_account_adds_up",
            ),
            models.CheckConstraint(
                condition=~Q(status=CampaignStatus.COMPLETED)
                | Q(total_recipients=F("sent_count") + F("skipped_count")),
                name="campaign_completed_whole",
            ),
            models.CheckConstraint(condition=_at_most_one_audience(), name="campaign_one_audience"),
        ]
        indexes = [
            # The rescue and `/active/` look at what is running: few among many.
            models.Index(
                fields=["status"],
                condition=Q(
                    status__in=[
                        CampaignStatus.SCHEDULED,
                        CampaignStatus.PROCESSING,
                        CampaignStatus.PAUSED,
                    ]
                ),
                name="campaign_live",
            ),
        ]

    def __str__(self) -> str:
        return f"campaign {self.pk}: {self.title}"

    @property
    def queue(self) -> str:
        """The Celery queue that everything of this campaign travels on."""
        return QUEUES[self.priority]

    @property
    def remaining_count(self) -> int:
        """How many planned devices have no final outcome yet."""
        return int(self.total_recipients - self.sent_count - self.skipped_count)

    @property
    def allowed_moves(self) -> list[str]:
        """What may be done to the campaign now."""
        return moves_from(self.status)

    def content(self) -> Content:
        """Return what to send, as the engine takes it."""
        return Content(
            campaign_id=self.pk,
            title=self.title,
            body=self.message,
            image_url=self.image_url,
            link_url=self.link_url,
            data=self.data_payload,
            priority=Priority(self.priority),
            time_to_live_s=self.time_to_live_s,
            expires_at=self.expires_at,
            platform_overrides=self.platform_overrides,
        )


class Lane(models.Model):
    """One campaign's way through one FCM project: how far it is planned, and what holds it up.

    Its row is what planners and dispatchers of the lane lock, so that one works at a time.
    """

    campaign = models.ForeignKey(PushCampaign, on_delete=models.CASCADE, related_name="lanes")
    project = models.ForeignKey(FcmProject, on_delete=models.PROTECT, related_name="+")
    planned_through_id = models.BigIntegerField(
        default=0, help_text="Devices up to this id are in the ledger."
    )
    plan_until_id = models.BigIntegerField(
        help_text="The last device id when the campaign started: later ones are not its audience."
    )
    planned_batches = models.PositiveIntegerField(default=0)
    planned_at = models.DateTimeField(null=True, help_text="When the plan was complete.")
    halt_reason = models.TextField(
        default="", db_default="", help_text="Why the project refuses us; empty while it does not."
    )
    progressed_at = models.DateTimeField(
        help_text="When the lane was last planned, dispatched or rescued."
    )
    published_at = models.DateTimeField(
        null=True, help_text="When messages of the lane were last published."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "project"], name="lane_once"),
        ]

    def __str__(self) -> str:
        return f"campaign {self.campaign_id} over project {self.project_id}"


class DeliveryBatch(models.Model):
    """Up to 500 devices of one lane: the unit of work, the ledger and the delivery log at once.

    `outcomes` and `message_ids` stand in the order of `device_ids`. One row flips once, so
    outcomes, state and counts can't disagree.
    """

    # Without indexes of their own: `batch_once` begins with both.
    campaign = models.ForeignKey(
        PushCampaign, on_delete=models.PROTECT, related_name="batches", db_index=False
    )
    project = models.ForeignKey(
        FcmProject, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    seq = models.PositiveIntegerField(help_text="The batch's place in its lane, from 0.")
    device_ids = ArrayField(models.BigIntegerField())
    state = models.CharField(
        max_length=9, choices=BatchState, default=BatchState.PENDING, db_default=BatchState.PENDING
    )
    attempt = models.PositiveIntegerField(
        default=0, db_default=0, help_text="How often it was claimed: the holder's fencing number."
    )
    lease_until = models.DateTimeField(null=True)
    dispatched_at = models.DateTimeField(
        null=True, help_text="When a message for it was last published; null: none under way."
    )
    dispatches = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="How often its message was published since its claim."
    )
    retry_at = models.DateTimeField(null=True, help_text="Not to be claimed before.")
    maybe_sent = models.BooleanField(
        default=False,
        db_default=False,
        help_text="A holder vanished while sending: what is pending may have been accepted.",
    )
    outcomes = ArrayField(models.SmallIntegerField(), null=True)
    message_ids = ArrayField(models.TextField(), null=True)
    errors = models.JSONField(
        default=dict, db_default={}, help_text='Failures only: index → {"code", "detail"}.'
    )
    retries = models.JSONField(
        default=dict,
        db_default={},
        help_text="Waiting devices only: index → [attempts, ambiguous, since, due, code].",
    )
    success_count = models.PositiveSmallIntegerField(default=0, db_default=0)
    failure_count = models.PositiveSmallIntegerField(default=0, db_default=0)
    invalid_count = models.PositiveSmallIntegerField(default=0, db_default=0)
    unknown_count = models.PositiveSmallIntegerField(default=0, db_default=0)
    skipped_count = models.PositiveSmallIntegerField(default=0, db_default=0)
    crashes = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="How often a holder failed or vanished: bounded."
    )
    sent_at = models.DateTimeField(null=True, help_text="When it was last sent to the provider.")
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "project", "seq"], name="batch_once"),
            models.CheckConstraint(
                condition=Q(state__in=BatchState.values), name="batch_state_legal"
            ),
            models.CheckConstraint(
                condition=Q(state=BatchState.SENDING, lease_until__isnull=False)
                | (~Q(state=BatchState.SENDING) & Q(lease_until__isnull=True)),
                name="batch_lease_while_sending",
            ),
        ]  # migration 0002 adds those over the arrays: one settled outcome per device
        indexes = [
            # Dispatch takes the next batches of a lane; completion asks whether any is open;
            # the rescue looks for expired leases: all among the few rows that are not settled.
            models.Index(
                fields=["campaign", "project", "seq"],
                condition=Q(state__in=[BatchState.PENDING, BatchState.SENDING]),
                name="batch_open",
            ),
            # The current rate, and whether a lane moves: what settled within the last seconds.
            models.Index(
                fields=["campaign", "settled_at"],
                condition=Q(settled_at__isnull=False),
                name="batch_settled",
            ),
        ]

    def __str__(self) -> str:
        return f"batch {self.seq} of campaign {self.campaign_id}"


class PushLog(models.Model):
    """What became of one device in one campaign: the ledger's arrays, unnested by a view."""

    class Status(models.TextChoices):
        """The ledger's outcomes by name."""

        PENDING = "pending"
        SUCCESS = "success"
        INVALID = "invalid"
        FAILED = "failed"
        UNKNOWN = "unknown"
        SKIPPED = "skipped"

    id = models.BigIntegerField(primary_key=True)
    campaign = models.ForeignKey(PushCampaign, on_delete=models.DO_NOTHING, related_name="logs")
    device = models.ForeignKey(
        DeviceToken, on_delete=models.DO_NOTHING, related_name="logs", db_constraint=False
    )
    status = models.CharField(max_length=7, choices=Status)
    error = models.TextField()
    message_id = models.TextField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "campaigns_pushlog"

    def __str__(self) -> str:
        return f"device {self.device_id} in campaign {self.campaign_id}: {self.status}"
