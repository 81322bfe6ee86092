"""Who is told, what they are told, and whether it reached them."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from campaigns.models import PushCampaign


class Event(models.TextChoices):
    """What a channel can be told of."""

    COMPLETED = "campaign.completed"
    """Every device has its final outcome."""
    FAILED = "campaign.failed"
    """The provider refuses the message itself."""
    PAUSED = "campaign.paused"
    """The provider refuses us, or our own code fails; whoever paused it by hand knows already."""
    STANDSTILL = "campaign.standstill"
    """It is being sent, and for minutes no device got its final outcome."""
    EXPIRED = "campaign.expired"
    """Its `expires_at` came before everybody was sent to; whoever was left is skipped."""
    MISSED = "campaign.missed"
    """It was scheduled, and not started: it was too late, or it can't be sent. A draft again."""
    SCHEDULE_MISSED = "schedule.missed"
    """Runs of a schedule were not begun: it was too late, or they can't be sent."""


TEST = "test"
"""The type of a notice that somebody asked for, to see whether the channel works."""


class ChannelKind(models.TextChoices):
    """How a channel is reached."""

    EMAIL = "email"
    CHAT = "chat"
    """Slack and others, by an Apprise URL."""
    WEBHOOK = "webhook"
    """A program, by Standard Webhooks."""


class Channel(models.Model):
    """One address that is told of some events; what is secret in it stands encrypted."""

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=7, choices=ChannelKind)
    events = ArrayField(models.CharField(max_length=30, choices=Event), default=list)
    address = models.EmailField(blank=True, default="", help_text="Of an e-mail channel.")
    sealed_url = models.TextField(default="", help_text="Encrypted; of chats and webhooks.")
    url_hint = models.CharField(max_length=300, default="", help_text="What may be shown of it.")
    sealed_secret = models.TextField(default="", help_text="Encrypted; what webhooks sign with.")
    sealed_old_secret = models.TextField(
        default="", help_text="Encrypted; the one before, by which webhooks are signed as well."
    )
    old_secret_until = models.DateTimeField(null=True)
    is_active = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=300, blank=True, default="")
    failing_since = models.DateTimeField(
        null=True, help_text="Since when nothing has reached it; null where the last one did."
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind=ChannelKind.EMAIL, sealed_url="") & ~Q(address="")
                | Q(kind__in=[ChannelKind.CHAT, ChannelKind.WEBHOOK], address="")
                & ~Q(sealed_url=""),
                name="channel_leads_somewhere",
            ),
            models.CheckConstraint(
                condition=Q(kind=ChannelKind.WEBHOOK) & ~Q(sealed_secret="")
                | ~Q(kind=ChannelKind.WEBHOOK) & Q(sealed_secret=""),
                name="channel_webhook_signs",
            ),
            models.CheckConstraint(
                condition=Q(sealed_old_secret="", old_secret_until__isnull=True)
                | ~Q(sealed_old_secret="") & Q(old_secret_until__isnull=False),
                name="channel_old_secret_ends",
            ),
            models.CheckConstraint(
                condition=Q(events__contained_by=Event.values, events__len__gt=0),
                name="channel_events_known",
            ),
            models.CheckConstraint(
                condition=Q(is_active=True, disabled_reason="")
                | Q(is_active=False) & ~Q(disabled_reason=""),
                name="channel_disabled_with_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"channel {self.pk} ({self.kind})"

    def sealed_secrets(self, *, now: datetime) -> list[str]:
        """Return what a webhook signs with: the secret and, for a while, the one before."""
        old = self.old_secret_until is not None and now < self.old_secret_until
        return [self.sealed_secret, self.sealed_old_secret] if old else [self.sealed_secret]


class Notice(models.Model):
    """Something that happened, as it was at that moment."""

    uid = models.UUIDField(
        default=uuid.uuid4, unique=True, help_text="What programs know it by, over all retries."
    )
    event = models.CharField(max_length=30)
    campaign = models.ForeignKey(
        PushCampaign, on_delete=models.CASCADE, null=True, related_name="notices"
    )
    schedule = models.ForeignKey(
        "schedules.Schedule", on_delete=models.CASCADE, null=True, related_name="notices"
    )
    account = models.JSONField(
        help_text="The campaign's account, by the names of `/stats/`; or the schedule's."
    )
    occurred_at = models.DateTimeField(db_default=Now())
    still_since = models.DateTimeField(null=True, help_text="Of a standstill: since when.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(event__in=[*Event.values, TEST]), name="notice_event_known"
            ),
            # Moves are told once because a guarded UPDATE makes each of them once.
            models.UniqueConstraint(
                fields=["campaign", "still_since"],
                condition=Q(event=Event.STANDSTILL),
                name="notice_standstill_once",
            ),
            models.CheckConstraint(
                condition=Q(event=Event.STANDSTILL, still_since__isnull=False)
                | ~Q(event=Event.STANDSTILL) & Q(still_since__isnull=True),
                name="notice_still_since",
            ),
        ]

    def __str__(self) -> str:
        if self.schedule_id:
            return f"{self.event} of schedule {self.schedule_id}"
        return f"{self.event} of campaign {self.campaign_id}"


class DeliveryState(models.TextChoices):
    """How far one notice's way to one channel is."""

    PENDING = "pending"
    """To be tried from `due_at` on."""
    DELIVERED = "delivered"
    FAILED = "failed"
    """Given up; a person may have it tried again."""
    SKIPPED = "skipped"
    """Whoever it was for has unsubscribed."""


class Delivery(models.Model):
    """One notice on its way to one channel: the outbox."""

    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=9, choices=DeliveryState, default=DeliveryState.PENDING)
    attempts = models.PositiveSmallIntegerField(
        default=0, help_text="Since it was last asked for; also the number that fences holders."
    )
    due_at = models.DateTimeField(db_default=Now())
    claimed_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["notice", "channel"], name="delivery_once"),
            models.CheckConstraint(
                condition=Q(state__in=DeliveryState.values), name="delivery_state_legal"
            ),
            models.CheckConstraint(
                condition=Q(state=DeliveryState.PENDING, finished_at__isnull=True)
                | ~Q(state=DeliveryState.PENDING)
                & Q(finished_at__isnull=False, claimed_until__isnull=True),
                name="delivery_finished",
            ),
        ]
        indexes = [
            # "What is due?", asked every few seconds: few among many.
            models.Index(
                fields=["due_at"],
                condition=Q(state=DeliveryState.PENDING),
                name="delivery_due",
            ),
        ]

    def __str__(self) -> str:
        return f"delivery {self.pk} ({self.state})"


class Attempt(models.Model):
    """One try of a delivery, and what was answered."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="log")
    attempted_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()
    status_code = models.PositiveSmallIntegerField(null=True)
    response = models.TextField(default="", help_text="The beginning of what was answered.")
    error = models.TextField(default="", help_text="Why it failed; empty where it did not.")

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"attempt {self.pk} of delivery {self.delivery_id}"


class Unsubscription(models.Model):
    """An e-mail address that wants nothing from here, whatever channel names it."""

    address = models.EmailField(unique=True, help_text="In lower case.")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"unsubscription {self.pk}"


class Watch(models.Model):
    """How far a campaign was when it was last seen to move."""

    campaign = models.OneToOneField(
        PushCampaign, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    done = models.BigIntegerField(help_text="Devices planned plus devices with final outcomes.")
    moved_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"watch over campaign {self.campaign_id}"
