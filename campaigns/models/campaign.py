"""What to send, to whom, and the running account of what became of it."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from campaigns.states import QUEUES, CampaignStatus, moves_from
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
    local_time = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Whether each device gets it when its own clock shows the time.",
    )
    timezone = models.CharField(
        max_length=64, default="UTC", db_default="UTC", help_text="Whose clock names that time."
    )

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
