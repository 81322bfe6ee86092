"""What the engine notes about its own regular work: one row for each kind."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class RescueRun(models.Model):
    """When the rescue last looked: one row, by which it notices that everything was away."""

    ran_at = models.DateTimeField()
    gap_began_at = models.DateTimeField(
        null=True, help_text="When it had last looked before the last time that it was late."
    )
    gap_ended_at = models.DateTimeField(null=True, help_text="When it looked again.")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="rescue_run_is_one_row")]

    def __str__(self) -> str:
        return f"rescue at {self.ran_at}"


class AuditRun(models.Model):
    """When the audit last looked, and which campaigns' numbers it found wrong: one row."""

    ran_at = models.DateTimeField()
    drift = models.JSONField(
        default=dict,
        help_text="Campaign → devices by which its numbers are wrong; until they are right again.",
    )

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="audit_run_is_one_row")]

    def __str__(self) -> str:
        return f"audit at {self.ran_at}"
