from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.models import DeviceToken, FcmProject
from tests.answers import complaints_in, error_in
from tests.cast import NOW, make_devices, make_project
from tests.devices.api.conftest import Call

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("project")]

PHONE: dict[str, Any] = {"user_id": "ann", "address": "fcm:APA91b_x-y", "platform": "android"}
EVERYTHING: dict[str, Any] = {
    "project": "shop-app",
    "user_id": "ann",
    "address": "fcm:APA91b_x-y",
    "address_kind": "fid",
    "platform": "ios",
    "language": "pt-BR",
    "country": "BR",
    "timezone": "America/Sao_Paulo",
    "app_version": "2.10.1",
    "tags": {"plan": "pro", "age": 7, "score": 1.5, "vip": True, "имя": "Ана 🎉"},
}


def refused(call: Call, **fields: Any) -> dict[str, Any]:
    """Register, see it refused with nothing stored, and return what is complained of."""
    status, complaints = call("POST", "/api/devices/", PHONE | fields)
    assert (status, DeviceToken.objects.count()) == (400, 0)
    return complaints_in(complaints)


def test_a_new_address_is_registered_with_201(call: Call) -> None:
    before = datetime.now(UTC)
    status, body = call("POST", "/api/devices/", EVERYTHING)
    device = DeviceToken.objects.get()
    times = {name: body.pop(name) for name in ("last_seen_at", "created_at", "updated_at")}
    assert status == 201
    assert body == EVERYTHING | {
        "id": device.pk,
        "is_active": True,
        "inactive_reason": "",
        "inactive_since": None,
    }
    assert len(set(times.values())) == 1
    assert before <= device.last_seen_at <= datetime.now(UTC)


def test_what_is_left_out_of_a_new_device_is_empty(call: Call) -> None:
    status, body = call("POST", "/api/devices/", PHONE)
    assert status == 201
    assert (body["project"], body["address_kind"], body["tags"]) == ("shop-app", "token", {})
    assert {body[name] for name in ("language", "country", "timezone", "app_version")} == {""}


def test_a_known_address_is_answered_with_200_and_the_same_id(call: Call) -> None:
    _, first = call("POST", "/api/devices/", EVERYTHING)
    status, again = call("POST", "/api/devices/", PHONE | {"address_kind": "fid"})
    assert (status, again["id"], DeviceToken.objects.count()) == (200, first["id"], 1)


def test_what_is_left_out_of_a_known_device_stays(call: Call) -> None:
    call("POST", "/api/devices/", EVERYTHING)
    _, again = call("POST", "/api/devices/", PHONE | {"app_version": "3", "language": ""})
    kept = EVERYTHING | {"platform": "android", "app_version": "3", "language": ""}
    assert {name: again[name] for name in kept} == kept


def test_tags_are_replaced_as_a_whole(call: Call) -> None:
    call("POST", "/api/devices/", PHONE | {"tags": {"a": 1, "b": 2}})
    _, again = call("POST", "/api/devices/", PHONE | {"tags": {"b": 3}})
    assert again["tags"] == {"b": 3}


def test_an_address_moves_to_the_user_who_registers_it(call: Call) -> None:
    call("POST", "/api/devices/", PHONE)
    status, moved = call("POST", "/api/devices/", PHONE | {"user_id": "bob"})
    assert (status, moved["user_id"]) == (200, "bob")
    assert list(DeviceToken.objects.values_list("user_id", flat=True)) == ["bob"]


def test_a_registered_device_counts_as_seen_now(call: Call, project: FcmProject) -> None:
    [device] = make_devices(project, 1, address=PHONE["address"], last_seen_at=NOW)
    before = datetime.now(UTC)
    call("POST", "/api/devices/", PHONE)
    device.refresh_from_db()
    assert before <= device.last_seen_at <= datetime.now(UTC)


def test_a_device_is_never_seen_earlier_than_it_was(call: Call) -> None:
    _, first = call("POST", "/api/devices/", PHONE)
    _, again = call("POST", "/api/devices/", PHONE | {"last_seen_at": "2020-01-01T00:00:00Z"})
    assert again["last_seen_at"] == first["last_seen_at"]


@pytest.mark.parametrize("reason", ["dead_address", "requested", "stale"])
def test_a_registered_device_comes_back_whatever_it_was_deactivated_for(
    call: Call, project: FcmProject, reason: str
) -> None:
    make_devices(
        project,
        1,
        address=PHONE["address"],
        is_active=False,
        inactive_reason=reason,
        inactive_since=NOW,
    )
    status, body = call("POST", "/api/devices/", PHONE)
    assert (status, body["is_active"], body["inactive_reason"]) == (200, True, "")
    assert body["inactive_since"] is None


def test_the_same_address_in_two_projects_is_two_devices(call: Call) -> None:
    make_project(project_id="other-app")
    statuses = [
        call("POST", "/api/devices/", PHONE | {"project": name}).status
        for name in ("shop-app", "other-app")
    ]
    assert (statuses, DeviceToken.objects.count()) == ([201, 201], 2)


def test_with_several_projects_one_must_be_named(call: Call) -> None:
    make_project()
    assert list(refused(call)) == ["project"]


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"country": "br"}, {"country": "BR"}),
        ({"language": "pt_br"}, {"language": "pt-BR"}),
        ({"language": "ZH-hant-tw"}, {"language": "zh-Hant-TW"}),
        ({"language": "es-419"}, {"language": "es-419"}),
        ({"user_id": "  ann "}, {"user_id": "ann"}),
        ({"user_id": "آنا 🦊"}, {"user_id": "آنا 🦊"}),
        ({"user_id": "'; DROP TABLE devices_devicetoken; --"}, {}),
        ({"address": "a'b\"{,}\\%s%(now)s"}, {"address": "a'b\"{,}\\%s%(now)s"}),
        ({"tags": {"'; --": "{}\\\"'$$"}}, {"tags": {"'; --": "{}\\\"'$$"}}),
        ({"country": None}, {"country": ""}),
    ],
)
def test_values_are_stored_in_their_usual_writing(
    call: Call, given: dict[str, Any], stored: dict[str, Any]
) -> None:
    status, body = call("POST", "/api/devices/", PHONE | given)
    expected = stored or given
    assert status == 201
    assert {name: body[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user_id", None),
        ("user_id", ""),
        ("user_id", "  "),
        ("user_id", 7),
        ("user_id", "x" * 256),
        ("user_id", "a\x00b"),
        ("user_id", "\ud800"),
        ("address", None),
        ("address", ""),
        ("address", "two words"),
        ("address", "a\tb"),
        ("address", "ș"),
        ("address", "x" * 4_097),
        ("address", ["x"]),
        ("address_kind", "pager"),
        ("platform", None),
        ("platform", "symbian"),
        ("platform", {"a": 1}),
        ("project", "no-such-project"),
        ("project", 7),
        ("country", "ZZ"),
        ("country", "DEU"),
        ("country", 49),
        ("language", "englisch"),
        ("language", "e"),
        ("language", "a\x00b"),
        ("timezone", "Mars/Olympus"),
        ("timezone", "europe/berlin"),
        ("timezone", "../../etc/passwd"),
        ("app_version", "x" * 65),
        ("app_version", "\x00"),
        ("tags", [1]),
        ("tags", "text"),
        ("tags", {"a": None}),
        ("tags", {"a": [1]}),
        ("tags", {"a": {"b": 1}}),
        ("tags", {"": 1}),
        ("tags", {"x" * 65: 1}),
        ("tags", {"a": "x" * 256}),
        ("tags", {"a": "\x00"}),
        ("tags", {"a": "\ud800"}),
        ("tags", {"\ud800": 1}),
        ("tags", {"a": 2**53 + 1}),
        ("tags", {"a": 10**400}),
        ("tags", {f"tag{number}": 1 for number in range(51)}),
        ("last_seen_at", "yesterday"),
        ("last_seen_at", "2026-02-30T00:00:00Z"),
        ("last_seen_at", "2026-01-01T00:00:00"),
        ("last_seen_at", "1999-12-31T23:59:59Z"),
        ("last_seen_at", "2099-01-01T00:00:00Z"),
        ("last_seen_at", 1_700_000_000),
        # What is not the caller's to set is refused too, never dropped without a word.
        ("id", 7),
        ("is_active", False),
        ("inactive_reason", "stale"),
        ("address_digest", "00000000-0000-4000-8000-000000000001"),
        ("project_id", 1),
        ("created_at", "2001-01-01T00:00:00Z"),
        ("usr_id", "ann"),
    ],
)
def test_a_field_that_is_wrong_is_named_and_nothing_is_stored(
    call: Call, field: str, value: Any
) -> None:
    assert list(refused(call, **{field: value})) == [field]


def test_a_number_that_is_none_is_refused_in_a_tag(call: Call) -> None:
    status, body = call("POST", "/api/devices/", PHONE | {"tags": {"a": float("inf")}})
    assert (status, error_in(body)[0], DeviceToken.objects.count()) == (400, "parse_error", 0)


def test_several_faults_are_told_at_once(call: Call) -> None:
    complaints = refused(call, platform="symbian", country="ZZ", tags=[], usr=1)
    assert sorted(complaints) == ["country", "platform", "tags", "usr"]


def test_programs_can_tell_faults_apart(call: Call) -> None:
    _, answer = call("POST", "/api/devices/", {"platform": "x", "misspelt": 1, "user_id": "ann"})
    codes = {error["attr"]: error["code"] for error in answer["errors"]}
    assert codes == {"platform": "invalid", "misspelt": "unknown", "address": "required"}


def test_half_a_surrogate_pair_as_a_name_is_answered(call: Call) -> None:
    assert refused(call, **{"\ud800": 1}) == {"?": ["There is no such field, or it cannot be set."]}


@pytest.mark.parametrize("body", [[], "text", 7, [PHONE]])
def test_a_body_that_is_no_object_is_refused(call: Call, body: Any) -> None:
    assert call("POST", "/api/devices/", body).status == 400


def test_a_clock_may_be_wrong_by_hours(call: Call) -> None:
    ahead = (datetime.now(UTC) + timedelta(hours=23)).isoformat()
    assert call("POST", "/api/devices/", PHONE | {"last_seen_at": ahead}).status == 201


def test_registering_takes_few_queries(call: Call) -> None:
    call("POST", "/api/devices/", PHONE)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        call("POST", "/api/devices/", PHONE)
    statements = [query["sql"].split()[0] for query in queries.captured_queries]
    assert statements == [
        "SELECT",
        "SAVEPOINT",
        "SET",
        "SELECT",
        "WITH",
        "UPDATE",
        "RELEASE",
        "SELECT",
    ]
