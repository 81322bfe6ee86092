from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from rest_framework.test import APIClient

from devices.models import DeviceToken, FcmProject
from tests.answers import error_in
from tests.cast import NOW, make_devices, seconds_later
from tests.devices.api.conftest import Call, send_bytes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("project")]
PATH = "/api/devices/bulk/"


def phone(number: int, **fields: Any) -> dict[str, Any]:
    return {"user_id": f"user{number}", "address": f"a{number}", "platform": "web"} | fields


def told(**counts: Any) -> dict[str, Any]:
    return {"created": 0, "updated": 0, "unchanged": 0, "errors": [], "repeated": []} | counts


def ndjson(staff: APIClient, *lines: bytes) -> tuple[int, Any]:
    answer = send_bytes(staff, PATH, b"\n".join(lines), content_type="application/x-ndjson")
    return answer.status_code, answer.json()


def test_devices_are_created_updated_and_left_alone(call: Call) -> None:
    assert call("POST", PATH, [phone(1), phone(2)]) == (200, told(created=2))
    again = [phone(1), phone(2, app_version="2"), phone(3)]
    assert call("POST", PATH, again) == (200, told(created=1, updated=1, unchanged=1))
    assert dict(DeviceToken.objects.values_list("address", "app_version")) == {
        "a1": "",
        "a2": "2",
        "a3": "",
    }


def test_the_good_rows_are_kept_and_the_bad_ones_told_of(call: Call) -> None:
    rows = [phone(1), phone(2, platform="symbian", country="ZZ"), 7, phone(4), {}]
    status, body = call("POST", PATH, rows)
    errors = [(one["index"], one["field"]) for one in body.pop("errors")]
    assert (status, body.pop("created")) == (200, 2)
    assert errors == [
        (1, "platform"),
        (1, "country"),
        (2, ""),
        (4, "user_id"),
        (4, "platform"),
        (4, "address"),
    ]
    assert sorted(DeviceToken.objects.values_list("address", flat=True)) == ["a1", "a4"]


def test_of_the_rows_of_one_address_the_last_wins_and_is_told(call: Call) -> None:
    rows = [phone(1, user_id="ann"), phone(2), phone(1, user_id="bob"), phone(1, user_id="cleo")]
    repeated = [{"index": 0, "superseded_by": 3}, {"index": 2, "superseded_by": 3}]
    assert call("POST", PATH, rows) == (200, told(created=2, repeated=repeated))
    assert DeviceToken.objects.get(address="a1").user_id == "cleo"


def test_without_a_single_good_row_the_answer_is_400(call: Call) -> None:
    status, body = call("POST", PATH, [phone(1, platform="symbian")])
    assert (status, len(body["errors"]), DeviceToken.objects.count()) == (400, 1, 0)


def test_nothing_at_all_changes_nothing(call: Call) -> None:
    assert call("POST", PATH, []) == (200, told())


def test_ndjson_is_taken_line_by_line(staff: APIClient) -> None:
    good = [json.dumps(phone(number)).encode() for number in (1, 2)]
    status, body = ndjson(staff, good[0], b"", b"{", b'"\xff"', b"[]", good[1], b"")
    assert (status, body["created"]) == (200, 2)
    assert [(one["index"], one["field"]) for one in body["errors"]] == [(1, ""), (2, ""), (3, "")]


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b"null", b'"x"', b"\xff", b"[NaN]"])
def test_a_body_that_is_no_array_is_refused(staff: APIClient, body: bytes) -> None:
    answer = send_bytes(staff, PATH, body, content_type="application/json")
    assert (answer.status_code, error_in(answer.json())[0]) == (400, "parse_error")


def test_ten_thousand_are_taken_and_one_more_is_not(call: Call) -> None:
    assert call("POST", PATH, [phone(number) for number in range(10_001)]).status == 413
    assert DeviceToken.objects.count() == 0
    status, body = call("POST", PATH, [phone(number) for number in range(10_000)])
    assert (status, body["created"]) == (200, 10_000)


def test_a_body_beyond_the_limit_is_not_read_on(call: Call, settings: Settings) -> None:
    settings.BULK_MAX_BYTES = 50
    assert call("POST", PATH, [phone(1)]).status == 413


def test_how_many_rows_a_call_may_bring_is_a_setting(call: Call, settings: Settings) -> None:
    settings.BULK_MAX_ROWS = 2
    assert call("POST", PATH, [phone(number) for number in range(3)]).status == 413
    assert call("POST", PATH, [phone(number) for number in range(2)]).status == 200


def test_more_rows_take_no_more_queries(call: Call) -> None:
    counts = []
    for rows in (1, 100):
        with CaptureQueriesContext(connection) as queries:
            call("POST", PATH, [phone(number, app_version=str(rows)) for number in range(rows)])
        counts.append(len(queries))
    assert counts[1] <= counts[0] + 1  # a first call has nothing to update


@pytest.mark.parametrize(
    ("reason", "seen", "is_active"),
    [
        ("dead_address", 1, True),
        ("stale", 1, True),
        ("requested", 1, False),
        ("dead_address", -1, False),
        ("stale", None, False),
    ],
)
def test_a_device_comes_back_only_if_it_was_seen_since(
    call: Call, project: FcmProject, reason: str, seen: int | None, is_active: bool
) -> None:
    [device] = make_devices(
        project,
        1,
        address="a1",
        last_seen_at=seconds_later(-9),
        is_active=False,
        inactive_reason=reason,
        inactive_since=NOW,
    )
    fields = {} if seen is None else {"last_seen_at": seconds_later(seen).isoformat()}
    assert call("POST", PATH, [phone(1, **fields)]).status == 200
    device.refresh_from_db()
    assert (device.is_active, device.inactive_reason) == (is_active, "" if is_active else reason)


def test_a_bulk_call_does_not_count_as_seeing_the_device(call: Call, project: FcmProject) -> None:
    [device] = make_devices(project, 1, address="a1", last_seen_at=NOW)
    call("POST", PATH, [phone(1)])
    device.refresh_from_db()
    assert device.last_seen_at == NOW
