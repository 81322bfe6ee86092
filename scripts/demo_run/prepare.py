"""What must be in the database before anything runs: tables, a project, a user, no old campaign."""

from __future__ import annotations

import io
import secrets
from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth.models import User
from django.core.management import call_command
from django.utils import timezone

from campaigns.access.keys import create_key
from campaigns.access.models import ApiKey
from campaigns.access.scopes import Scope
from campaigns.queries import active_campaigns
from campaigns.services import cancel_campaign
from devices.models import FcmProject
from scripts.demo_run.projects import project_names

USER_NAME = "demo"


@dataclass(frozen=True, slots=True)
class Login:
    """The demo's operator; new secrets each run."""

    user_name: str
    password: str
    api_key: str


def migrate() -> None:
    """Bring the tables up to date."""
    call_command("migrate", interactive=False, verbosity=0, stdout=io.StringIO())


def collect_static() -> None:
    """Put the pages' styles and scripts where the web server finds them."""
    call_command("collectstatic", interactive=False, verbosity=0)


def prepare_projects(*, count: int, folder: Path, quota: int) -> list[FcmProject]:
    """Return the demo's FCM projects, with their keys in `folder` and this pace (a minute)."""
    return [
        FcmProject.objects.update_or_create(
            project_id=name,
            defaults={"credentials": f"file:{folder / name}.json", "quota_per_minute": quota},
        )[0]
        for name in project_names(count)
    ]


def prepare_login() -> Login:
    """Return an administrator with a new password and a new API key."""
    password = secrets.token_urlsafe(12)
    user, _made = User.objects.get_or_create(
        username=USER_NAME, defaults={"is_staff": True, "is_superuser": True}
    )
    user.set_password(password)
    user.save(update_fields=["password"])
    ApiKey.objects.filter(created_by=user).delete()
    _, key = create_key(name="demo", scopes=[Scope.ADMIN], owner=user, now=timezone.now())
    return Login(user.username, password, key)


def cancel_unfinished() -> int:
    """Cancel what an interrupted run left: its messages would mix with ours. Return how many."""
    unfinished = list(active_campaigns())
    for campaign in unfinished:
        cancel_campaign(campaign_id=campaign.pk, now=timezone.now())
    return len(unfinished)
