"""Schedules, and what became of each time that one fell due."""

from __future__ import annotations

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from campaigns.models import PushCampaign
from campaigns.schedules.recurrence import Recurrence, Window


class Overlap(models.TextChoices):
    """What becomes of a run that falls due while the campaign of the one before is not ended."""

    SKIP = "skip"
    """It is left out."""
    QUEUE = "queue"
    """It waits, as long as it may be late."""


class ScheduleStatus(models.TextChoices):
    """Whether a schedule still starts campaigns."""

    ACTIVE = "active"
    PAUSED = "paused"
    """A person holds it up. What falls due meanwhile is no run."""
    ENDED = "ended"
    """It will not fall due again, unless it is changed."""


class Schedule(models.Model):
    """A campaign that comes again.

    What it sends was copied from a campaign when it was written: who may change that campaign, and
    may not send, does not change what is sent.
    """

    name = models.CharField(max_length=200)
    copied_from = models.ForeignKey(
        PushCampaign, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    content = models.JSONField(
        encoder=DjangoJSONEncoder, help_text="What each run's campaign is made of."
    )

    cron = models.CharField(max_length=100)
    timezone = models.CharField(max_length=64, default="UTC")
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    window_opens = models.TimeField(null=True, blank=True)
    window_closes = models.TimeField(null=True, blank=True)
    max_runs = models.PositiveIntegerField(null=True, blank=True)
    overlap = models.CharField(max_length=5, choices=Overlap, default=Overlap.SKIP)
    max_lateness_s = models.PositiveIntegerField(
        default=3_600, help_text="A run that could not begin for longer is missed."
    )

    is_paused = models.BooleanField(default=False, db_default=False)
    next_slot = models.DateTimeField(
        null=True, help_text="The first slot that nothing has become of yet; null: there is none."
    )
    due_at = models.DateTimeField(null=True, help_text="When that slot's run is to begin.")
    waits_because = models.TextField(
        default="", db_default="", help_text="Why the run that is due has not begun."
    )
    started_runs = models.PositiveIntegerField(default=0, db_default=0)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(overlap__in=Overlap.values), name="schedule_overlap_legal"
            ),
            models.CheckConstraint(
                condition=Q(next_slot__isnull=True, due_at__isnull=True)
                | Q(next_slot__isnull=False, due_at__isnull=False),
                name="schedule_due_with_slot",
            ),
            models.CheckConstraint(
                condition=Q(window_opens__isnull=True, window_closes__isnull=True)
                | Q(window_opens__isnull=False, window_closes__isnull=False),
                name="schedule_window_whole",
            ),
        ]
        indexes = [
            # "What is due?", asked every two seconds.
            models.Index(
                fields=["due_at"],
                condition=Q(is_paused=False, due_at__isnull=False),
                name="schedule_due",
            ),
        ]

    def __str__(self) -> str:
        return f"schedule {self.pk}: {self.name}"

    @property
    def status(self) -> str:
        """Whether it still starts campaigns."""
        if self.next_slot is None:
            return ScheduleStatus.ENDED
        return ScheduleStatus.PAUSED if self.is_paused else ScheduleStatus.ACTIVE

    def recurrence(self) -> Recurrence:
        """Return when it falls due."""
        window = None
        if self.window_opens is not None and self.window_closes is not None:
            window = Window(self.window_opens, self.window_closes)
        return Recurrence(
            cron=self.cron,
            timezone=self.timezone,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            window=window,
            begins_early=bool(self.content.get("local_time")),
        )


class RunOutcome(models.TextChoices):
    """What became of a slot."""

    STARTED = "started"
    """Its campaign was created and started."""
    SKIPPED = "skipped"
    """The campaign of the run before had not ended."""
    MISSED = "missed"
    """Nobody could begin it in time, or a later one was due as well."""
    REFUSED = "refused"
    """Its campaign could not be sent any more."""


class ScheduleRun(models.Model):
    """One slot of a schedule, decided. That there is one row for a slot makes it fire once."""

    schedule = models.ForeignKey(
        Schedule, on_delete=models.CASCADE, related_name="runs", db_index=False
    )
    slot = models.DateTimeField(help_text="The moment of the cron expression.")
    outcome = models.CharField(max_length=7, choices=RunOutcome)
    reason = models.TextField(default="", db_default="")
    campaign = models.OneToOneField(
        PushCampaign, on_delete=models.PROTECT, null=True, related_name="schedule_run"
    )
    decided_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["schedule", "slot"], name="schedule_slot_once"),
            models.CheckConstraint(
                condition=Q(outcome__in=RunOutcome.values), name="schedule_run_outcome_legal"
            ),
            models.CheckConstraint(
                condition=Q(outcome=RunOutcome.STARTED, campaign__isnull=False)
                | (~Q(outcome=RunOutcome.STARTED) & Q(campaign__isnull=True)),
                name="schedule_run_started_with_campaign",
            ),
        ]

    def __str__(self) -> str:
        return f"run of schedule {self.schedule_id} at {self.slot}: {self.outcome}"
