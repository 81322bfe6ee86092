"""Which FCM projects there are, as the rules for rows want to know it."""

from __future__ import annotations

from datetime import datetime

from devices.models import FcmProject
from devices.rules import RowRules


class UnknownProject(Exception):
    """There is no such FCM project."""

    def __init__(self, project: str) -> None:
        self.project = project
        super().__init__(f"There is no FCM project {project!r}.")


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
