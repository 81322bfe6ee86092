"""Of what the audit trail is kept: what people and programs decide, not what the engine counts."""

from __future__ import annotations

from typing import Final

from auditlog.models import LogEntry
from django.contrib.auth.models import User
from django.db import models
from django.db.models.signals import pre_save

from campaigns.access.models import ApiKey
from campaigns.access.trail import sign_entry, track
from campaigns.models import PushCampaign
from campaigns.notifications.models import Channel
from campaigns.schedules.models import Schedule
from devices.models import FcmProject
from devices.segments.models import Segment, UserList

TRACKED: Final[dict[str, type[models.Model]]] = {
    "campaign": PushCampaign,
    "schedule": Schedule,
    "segment": Segment,
    "user_list": UserList,
    "channel": Channel,
    "project": FcmProject,
    "api_key": ApiKey,
    "user": User,
}
"""What the API calls them."""


def track_all() -> None:
    """Have the decisions noted; called once, when all models are there."""
    pre_save.connect(sign_entry, sender=LogEntry, dispatch_uid="sign_entry")
    track(
        PushCampaign,
        leaving_out=[
            field.name
            for field in PushCampaign._meta.concrete_fields
            if not field.editable and field.name != "status"
        ],
    )
    track(
        Schedule,
        leaving_out=["next_slot", "due_at", "waits_because", "started_runs", "created_at"],
    )
    track(Segment, leaving_out=["created_at", "updated_at"])
    track(
        UserList,
        leaving_out=[
            field.name
            for field in UserList._meta.concrete_fields
            if field.name not in {"name", "description", "created_by"}
        ],
    )
    track(
        Channel,
        leaving_out=["failing_since", "created_at"],
        hiding=["sealed_url", "sealed_secret", "sealed_old_secret"],
    )
    track(FcmProject, leaving_out=["created_at"], hiding=["credentials"])
    track(ApiKey, leaving_out=["hashed_key", "created_at", "last_used_at"])
    track(
        User,
        leaving_out=["last_login", "date_joined"],
        hiding=["password"],
        relations=["groups", "user_permissions"],
    )
