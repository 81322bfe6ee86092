from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from devices.segments.lists import read_list
from devices.segments.models import ListMember, UserList
from tests.answers import complaints_in
from tests.cast import NOW
from tests.devices.api.conftest import Call, call, send_bytes, staff, staff_user
from tests.devices.segments.cast import make_segment

__all__ = ["call", "staff", "staff_user"]  # fixtures
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("broker", "import_folder"),
]
PATH = "/api/user-lists/"


def upload(staff: APIClient, body: bytes, query: str = "?name=VIPs") -> Any:
    return send_bytes(staff, PATH + query, body, content_type="text/plain")


def test_a_file_becomes_a_list(staff: APIClient, call: Call) -> None:
    answer = upload(staff, b"ann\nbob\n\xff\nann\n", "?name=VIPs&description=Who%20pays")
    record = UserList.objects.get()
    assert (answer.status_code, answer.json()["status"]) == (202, "waiting")
    read_list(list_id=record.pk, clock=lambda: NOW)
    body = call("GET", f"{PATH}{record.pk}/").body
    told = ("name", "description", "status", "rows", "size", "repeated", "rejected", "file_format")
    assert [body[name] for name in told] == [
        "VIPs",
        "Who pays",
        "completed",
        4,
        2,
        1,
        1,
        "text",
    ]
    rejects: Any = staff.get(body["rejects"])
    assert b"".join(rejects.streaming_content).startswith(b"line,reason,row\n3,Is no UTF-8")
    assert [one["id"] for one in call("GET", PATH).body["results"]] == [record.pk]


@pytest.mark.parametrize(
    ("query", "field"), [("", "name"), ("?name=", "name"), ("?name=" + "x" * 201, "name")]
)
def test_a_list_needs_a_name(staff: APIClient, import_folder: Path, query: str, field: str) -> None:
    answer = upload(staff, b"ann", query)
    assert (answer.status_code, list(complaints_in(answer.json()))) == (400, [field])
    assert not UserList.objects.exists()
    assert not import_folder.exists()


def test_what_cannot_be_taken_leaves_nothing_behind(
    staff: APIClient, settings: Settings, import_folder: Path
) -> None:
    assert upload(staff, b"").status_code == 400
    settings.IMPORT_MAX_BYTES = 2
    assert upload(staff, b"ann").status_code == 413
    answer = send_bytes(staff, PATH + "?name=x", b"{}", content_type="application/json")
    assert answer.status_code == 415
    assert not UserList.objects.exists()


def test_a_list_that_is_needed_is_not_deleted(staff: APIClient, call: Call) -> None:
    upload(staff, b"ann")
    record = UserList.objects.get()
    rule = {"field": "user_id", "op": "in_list", "value": record.pk}
    assert call("POST", "/api/segments/estimate/", {"rules": rule}).status == 400
    read_list(list_id=record.pk, clock=lambda: NOW)
    segment = make_segment(rule)
    assert call("DELETE", f"{PATH}{record.pk}/").status == 409
    assert ListMember.objects.count() == 1
    segment.delete()
    assert call("DELETE", f"{PATH}{record.pk}/").status == 204
    assert not ListMember.objects.exists()
    assert call("GET", f"{PATH}{record.pk}/rejects/").status == 404
