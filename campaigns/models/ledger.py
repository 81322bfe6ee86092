"""The ledger: what became of every device of a campaign, in batches, by lanes, and as a log."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from campaigns.models.campaign import PushCampaign
from campaigns.states import BatchState
from devices.models import DeviceToken, FcmProject


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
    by_platform = models.JSONField(
        default=dict,
        db_default={},
        help_text="Platform → how many of its devices have each outcome, in the order of their "
        "numbers, pending first; empty for devices that have been deleted.",
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
