from __future__ import annotations

import base64
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from devices.models import DeviceToken, FcmProject
from tests.answers import complaints_in
from tests.cast import make_devices, make_project

pytestmark = pytest.mark.django_db


def found(staff: APIClient, **filters: Any) -> list[int]:
    answer = staff.get("/api/devices/", filters)
    assert answer.status_code == 200
    return [device["id"] for device in answer.json()["results"]]


def test_a_device_is_read(staff: APIClient, project: FcmProject) -> None:
    [device] = make_devices(project, 1, user_id="ann", tags={"plan": "pro"})
    body = staff.get(f"/api/devices/{device.pk}/").json()
    assert (body["id"], body["user_id"], body["tags"]) == (device.pk, "ann", {"plan": "pro"})


def test_the_newest_come_first(staff: APIClient, project: FcmProject) -> None:
    devices = make_devices(project, 3)
    assert found(staff) == [device.pk for device in reversed(devices)]


@pytest.mark.parametrize(
    ("filters", "fields"),
    [
        ({"user_id": "ann"}, {"user_id": "ann"}),
        ({"platform": "ios"}, {"platform": "ios"}),
        ({"is_active": "false"}, {"is_active": False, "inactive_reason": "stale"}),
        ({"country": "BR"}, {"country": "BR"}),
        ({"language": "pt-BR"}, {"language": "pt-BR"}),
        ({"country": "br", "language": "pt-br"}, {"country": "BR", "language": "pt-BR"}),
        ({"user_id": "ann", "platform": "web"}, {"user_id": "ann", "platform": "web"}),
        ({"user_id": "' OR 1=1 --"}, {"user_id": "' OR 1=1 --"}),
        ({"user_id": "%"}, {"user_id": "%"}),
    ],
)
def test_a_filter_leaves_those_that_it_names(
    staff: APIClient, project: FcmProject, filters: dict[str, str], fields: dict[str, Any]
) -> None:
    make_devices(project, 2, user_id="bob")
    [wanted] = make_devices(project, 1, **fields)
    assert found(staff, **filters) == [wanted.pk]


def test_an_empty_filter_says_nothing(staff: APIClient, project: FcmProject) -> None:
    make_devices(project, 2)
    assert len(found(staff, country="", language="", project="", user_id="")) == 2


def test_the_devices_of_a_project_are_listed(staff: APIClient, project: FcmProject) -> None:
    make_devices(make_project(), 1)
    [ours] = make_devices(project, 1)
    assert found(staff, project="shop-app") == [ours.pk]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("platform", "symbian"),
        ("user_id", "a\x00b"),
        ("country", "\x00"),
        ("country", "Brazil"),
        ("language", "portuguese!"),
        ("project", "nope"),
        ("is_active", "maybe"),
    ],
)
def test_a_filter_that_is_wrong_is_named(staff: APIClient, name: str, value: str) -> None:
    answer = staff.get("/api/devices/", {name: value})
    assert (answer.status_code, list(complaints_in(answer.json()))) == (400, [name])


def test_pages_follow_each_other_without_gap_or_repeat(
    staff: APIClient, project: FcmProject
) -> None:
    devices = make_devices(project, 5)
    seen: list[int] = []
    url: str | None = "/api/devices/?page_size=2"
    while url:
        page = staff.get(url).json()
        seen += [device["id"] for device in page["results"]]
        make_devices(project, 1)  # newer ones do not shift the pages
        url = page["next"]
    assert seen == [device.pk for device in reversed(devices)]


@pytest.mark.parametrize("position", ["p=abc", "p=1%27", "p=-1", "p=" + "9" * 30, "o=-1", "\xff"])
def test_a_cursor_that_is_none_is_refused(staff: APIClient, position: str) -> None:
    cursor = base64.b64encode(position.encode("latin-1")).decode()
    assert staff.get("/api/devices/", {"cursor": cursor}).status_code == 400


def test_a_longer_list_takes_no_more_queries(staff: APIClient, project: FcmProject) -> None:
    counts = []
    for _ in range(2):
        make_devices(project, 5)
        with CaptureQueriesContext(connection) as queries:
            staff.get("/api/devices/")
        counts.append(len(queries))
    assert counts == [1, 1]
    assert DeviceToken.objects.count() == 10
