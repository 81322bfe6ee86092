"""FCM projects: what `manage.py projects` does."""

from __future__ import annotations

from typing import Annotated, Any

from django.core.management.base import BaseCommand
from django_typer.completers.model import ModelObjectCompleter
from django_typer.management import Context
from redis.exceptions import RedisError
from typer import Argument, Option

from campaigns.engine import pacer_of
from campaigns.models import Lane
from campaigns.states import CampaignStatus
from devices import projects
from devices.models import FcmProject
from devices.terminal import AsJson, find, say_facts, say_json, say_table, telling_refusals
from pushcore.credentials import ENCRYPTED_SCHEME

ProjectId = Annotated[
    str,
    Argument(
        help="The Google Cloud project's id.",
        show_default=False,
        shell_complete=ModelObjectCompleter(FcmProject, lookup_field="project_id"),
    ),
]
Credentials = "Where the service account's key is: file:/path or env:NAME."
Quota = "Messages a minute that Google grants; 0 for no pacing."
answering = telling_refusals(projects.ProjectError)


@answering
def create(
    context: Context,
    project: Annotated[str, Argument(help="The Google Cloud project's id.", show_default=False)],
    *,
    credentials: Annotated[str, Option(help=Credentials, show_default=False)],
    quota: Annotated[int, Option(help=Quota)] = 600_000,
    json: AsJson = False,
) -> None:
    """Set one up; `manage.py doctor` says whether FCM lets us in."""
    made = projects.create_project(
        project_id=project, credentials=credentials, quota_per_minute=quota
    )
    _say_project(context.django_command, made, as_json=json)


@answering
def change(
    context: Context,
    project: ProjectId,
    *,
    credentials: Annotated[str | None, Option(help=Credentials, show_default=False)] = None,
    quota: Annotated[int | None, Option(help=Quota, show_default=False)] = None,
    json: AsJson = False,
) -> None:
    """Change its quota or credentials, also while campaigns are sent."""
    changed = projects.change_project(
        project_id=_found(project).project_id, credentials=credentials, quota_per_minute=quota
    )
    _say_project(context.django_command, changed, as_json=json)


@answering
def show_list(context: Context, *, json: AsJson = False) -> None:
    """List them, with their quotas."""
    found = [_facts(one) for one in FcmProject.objects.order_by("project_id")]
    if json:
        say_json(context.django_command, found)
        return
    columns = ["project_id", "quota_per_minute", "credentials"]
    say_table(context.django_command, columns, [[one[name] for name in columns] for one in found])


@answering
def show(context: Context, project: ProjectId, *, json: AsJson = False) -> None:
    """Show one: the pace in force, and which campaigns it holds up."""
    _say_project(context.django_command, _found(project), as_json=json)


def _found(project_id: str) -> FcmProject:
    return find(FcmProject.objects.all(), f"FCM project {project_id!r}", project_id=project_id)


def _say_project(command: BaseCommand, project: FcmProject, *, as_json: bool) -> None:
    facts, pace, halted = _facts(project), _pace(project), _halted(project)
    if as_json:
        say_json(command, facts | pace | {"halted": halted})
        return
    say_facts(command, facts | {"pace": _pace_in_words(**pace)})
    for one in halted:
        say_facts(command, {f"holds up campaign {one['campaign']}": one["reason"]})


def _facts(project: FcmProject) -> dict[str, Any]:
    is_encrypted = project.credentials.startswith(ENCRYPTED_SCHEME)
    return {
        "project_id": project.project_id,
        "quota_per_minute": project.quota_per_minute,
        "credentials": "encrypted" if is_encrypted else project.credentials,
        "created_at": project.created_at,
    }


def _pace(project: FcmProject) -> dict[str, Any]:
    """Return the pace in force; nothing where Redis, which keeps it, does not answer."""
    try:
        pace = pacer_of(project).state()
    except RedisError:
        return {"pace": None, "blocked_for_s": None}
    return {"pace": pace.factor, "blocked_for_s": pace.blocked_for_s}


def _pace_in_words(pace: float | None, blocked_for_s: float | None) -> str:
    if pace is None:
        return "unknown: Redis does not answer"
    quiet = f", quiet for {blocked_for_s:.0f} s as FCM wants" if blocked_for_s else ""
    return f"{pace:.0%} of the quota{quiet}"


def _halted(project: FcmProject) -> list[dict[str, Any]]:
    live = [CampaignStatus.PROCESSING, CampaignStatus.PAUSED]
    lanes = Lane.objects.filter(project=project, campaign__status__in=live)
    halted = lanes.exclude(halt_reason="").order_by("campaign_id")
    return [{"campaign": one.campaign_id, "reason": one.halt_reason} for one in halted]
