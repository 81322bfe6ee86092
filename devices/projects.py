"""Which FCM projects there are, how they are set up, and what rows want to know of them.

ProjectError
├── UnknownProject   there is no such project
└── ProjectRefused   a field breaks a rule
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from devices.models import FcmProject
from devices.rules import RowRules


class ProjectError(Exception):
    """What was asked of an FCM project was refused, and nothing has changed."""


class UnknownProject(ProjectError):
    """There is no such FCM project."""

    def __init__(self, project: str) -> None:
        self.project = project
        super().__init__(f"There is no FCM project {project!r}.")


class ProjectRefused(ProjectError):
    """A field breaks a rule; `problems` says which, and why."""

    def __init__(self, problems: Mapping[str, Sequence[str]]) -> None:
        self.problems = problems
        super().__init__(
            "\n".join(f"{name}: {one}" for name, reasons in problems.items() for one in reasons)
        )


def create_project(*, project_id: str, credentials: str, quota_per_minute: int) -> FcmProject:
    """Save an FCM project: `credentials` is a reference (`file:/path`, `env:NAME`), never a key.

    Raises:
        ProjectRefused: a value is none, or there is a project of that id.
    """
    project = FcmProject(
        project_id=project_id, credentials=credentials, quota_per_minute=quota_per_minute
    )
    _refuse_unfit(project)
    project.save(force_insert=True)
    return project


def change_project(
    *, project_id: str, credentials: str | None = None, quota_per_minute: int | None = None
) -> FcmProject:
    """Change what is given; workers go by it from their next batch on.

    Raises:
        ProjectRefused: a value is none.
        UnknownProject: there is no such project (`project_id` is Google's).
    """
    given = {"credentials": credentials, "quota_per_minute": quota_per_minute}
    changes = {name: value for name, value in given.items() if value is not None}
    with transaction.atomic():
        # Its keys stay: devices may be registered meanwhile, and an import need not end before.
        found = FcmProject.objects.select_for_update(no_key=True).filter(project_id=project_id)
        project = found.first()
        if project is None:
            raise UnknownProject(project_id)
        for name, value in changes.items():
            setattr(project, name, value)
        _refuse_unfit(project)
        # Saved and not updated: the audit trail notes what is saved.
        project.save(update_fields=list(changes))
    return project


def _refuse_unfit(project: FcmProject) -> None:
    try:
        project.full_clean()
    except ValidationError as refusal:
        raise ProjectRefused(refusal.message_dict) from refusal


def row_rules(*, now: datetime, project: str | None = None) -> RowRules:
    """Return the rules for rows, of which those that name no project belong to `project`.

    Without it they belong to the one project there is; with several, each row has to name its own.

    Raises:
        UnknownProject: there is no such project.
    """
    projects = dict(FcmProject.objects.values_list("project_id", "pk"))
    if project is not None and project not in projects:
        raise UnknownProject(project)
    only = next(iter(projects)) if len(projects) == 1 else None
    return RowRules(projects=projects, default_project=project or only, now=now)
