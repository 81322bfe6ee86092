"""Requests that were made under a key, and what was answered."""

from __future__ import annotations

from django.db import models


class KeptAnswer(models.Model):
    """One request under one caller's key; the constraint decides that it is the only one.

    The row commits in the transaction of the request's effect: there is never one without the
    other. Only where an effect lies outside of the database (a message to a phone) does the row
    come first, without an answer.
    """

    caller = models.CharField(max_length=40)
    key = models.CharField(max_length=255)
    fingerprint = models.BinaryField(max_length=32, help_text="SHA-256 of the request.")
    status_code = models.PositiveSmallIntegerField(
        null=True, help_text="Null while nothing was answered yet."
    )
    body = models.TextField(default="", help_text="The answer's JSON.")
    headers = models.JSONField(default=dict, help_text="Those that belong to the answer.")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["caller", "key"], name="kept_answer_once"),
        ]
        indexes = [
            # The purge goes by age.
            models.Index(fields=["created_at"], name="kept_answer_age"),
        ]

    def __str__(self) -> str:
        return f"{self.key} of {self.caller}"
