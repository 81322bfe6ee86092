"""Every list costs the same statements, however much is in it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any, Final

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from campaigns.access.keys import create_key
from campaigns.access.scopes import Scope
from campaigns.notifications.channels import create_channel
from campaigns.schedules.services import create_schedule
from devices.models import DeviceImport
from devices.segments.memberships import evaluate, request_membership
from devices.segments.models import UserList
from devices.segments.services import create_segment
from tests.cast import NOW, make_campaign, make_devices, make_project

pytestmark = pytest.mark.django_db

_numbers = count(1)
_UPLOAD: Final = {"total_bytes": 0, "created_at": NOW, "updated_at": NOW, "finished_at": NOW}


def somebody() -> Any:
    return get_user_model().objects.create_user(f"somebody {next(_numbers)}")


def campaign() -> None:
    make_campaign(created_by=somebody())


def device() -> None:
    make_devices(make_project(), 1)


def device_import() -> None:
    project = make_project()
    fields = {"file_format": "csv", "rejected": 1, "project": project, "created_by": somebody()}
    DeviceImport.objects.create(**fields, **_UPLOAD)


def user_list() -> None:
    name = f"list {next(_numbers)}"
    fields = {"file_format": "text", "rejected": 1, "created_by": somebody(), "name": name}
    UserList.objects.create(**fields, **_UPLOAD)


def segment() -> None:
    """A static one, evaluated once and under way again."""
    rules = {"field": "country", "op": "eq", "value": "BR"}
    name = f"segment {next(_numbers)}"
    one = create_segment(user=somebody(), now=NOW, name=name, kind="static", rules=rules)
    evaluate(membership_id=one.memberships.get().pk, clock=lambda: NOW)
    request_membership(segment_id=one.pk, now=NOW)


def schedule() -> None:
    plan: dict[str, Any] = {"cron": "0 9 * * 1", "timezone": "UTC"}
    name, campaign_id = f"schedule {next(_numbers)}", make_campaign().pk
    create_schedule(user=somebody(), now=NOW, name=name, campaign_id=campaign_id, **plan)


def channel() -> None:
    plan: dict[str, Any] = {"kind": "email", "target": "me@example.com"}
    name, events = f"channel {next(_numbers)}", ["campaign.failed"]
    create_channel(user=somebody(), now=NOW, name=name, events=events, **plan)


def api_key() -> None:
    create_key(owner=somebody(), now=NOW, name="x", scopes=[Scope.ADMIN], expires_at=None)


MAKERS: Final[dict[str, Callable[[], None]]] = {
    "/api/api-keys/": api_key,
    "/api/audit-log/": api_key,
    "/api/campaigns/": campaign,
    "/api/devices/": device,
    "/api/devices/imports/": device_import,
    "/api/notification-channels/": channel,
    "/api/schedules/": schedule,
    "/api/segments/": segment,
    "/api/user-lists/": user_list,
}


def test_every_list_is_looked_at() -> None:
    generator: Any = SchemaGenerator
    paths = generator().get_schema(request=None, public=True)["paths"]
    lists = {
        path
        for path, item in paths.items()
        if "{" not in path
        and "results" in str(item.get("get", {}).get("responses", {}).get("200", ""))
    }
    assert lists == set(MAKERS)


@pytest.mark.parametrize("path", sorted(MAKERS))
def test_a_longer_list_costs_no_more_statements(staff: APIClient, path: str) -> None:
    statements, lengths = [], []
    for _ in range(2):
        for _ in range(2):
            MAKERS[path]()
        staff.get(path)  # whatever a process remembers
        with CaptureQueriesContext(connection) as queries:
            lengths.append(len(staff.get(path).json()["results"]))
        statements.append(len(queries))
    assert lengths[1] >= lengths[0] + 2
    assert statements[0] == statements[1]
