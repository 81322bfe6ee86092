"""`ETag`, `If-None-Match` and `If-Match` on devices, and what holds of them anywhere."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone
from rest_framework.test import APIClient

from devices.models import DeviceToken, FcmProject
from tests.answers import error_in
from tests.cast import make_devices, make_project
from tests.concurrency import run_at_once


@pytest.fixture
def device(project: FcmProject) -> DeviceToken:
    [device] = make_devices(project, 1)
    return device


def path_of(device: DeviceToken) -> str:
    return f"/api/devices/{device.pk}/"


def change(client: APIClient, device: DeviceToken, tag: str, **fields: Any) -> Any:
    return client.patch(path_of(device), fields, format="json", headers={"If-Match": tag})


@pytest.mark.django_db
def test_a_change_of_what_was_read_is_made(staff: APIClient, device: DeviceToken) -> None:
    tag = staff.get(path_of(device))["ETag"]
    answer = change(staff, device, tag, language="de")
    assert (answer.status_code, answer.json()["language"]) == (200, "de")
    assert answer["ETag"] == staff.get(path_of(device))["ETag"] != tag


@pytest.mark.django_db
def test_a_change_of_what_is_another_by_now_is_not(staff: APIClient, device: DeviceToken) -> None:
    tag = staff.get(path_of(device))["ETag"]
    change(staff, device, tag, language="de")
    answer = change(staff, device, tag, language="fr")
    device.refresh_from_db()
    assert (answer.status_code, device.language) == (412, "de")
    assert error_in(answer.json())[0] == "precondition_failed"


@pytest.mark.django_db
def test_neither_is_it_deactivated(staff: APIClient, device: DeviceToken) -> None:
    tag = staff.get(path_of(device))["ETag"]
    change(staff, device, tag, language="de")
    answer = staff.delete(path_of(device), headers={"If-Match": tag})
    device.refresh_from_db()
    assert (answer.status_code, device.is_active) == (412, True)


@pytest.mark.django_db
def test_what_nobody_changed_does_not_stand_in_the_way(
    staff: APIClient, device: DeviceToken
) -> None:
    tag = staff.get(path_of(device))["ETag"]
    DeviceToken.objects.update(last_seen_at=timezone.now())
    assert staff.get(path_of(device))["ETag"] != tag
    assert change(staff, device, tag, language="de").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("tag", "status"),
    [
        ("*", 200),
        ('"other.one"', 412),
        ("", 412),
        ("W/", 412),
        ('"a", "b"', 412),
        ("x" * 5_000, 412),
    ],
)
def test_any_tag_is_understood_or_refused(
    staff: APIClient, device: DeviceToken, tag: str, status: int
) -> None:
    assert change(staff, device, tag, language="de").status_code == status


@pytest.mark.django_db
def test_a_weak_tag_changes_nothing_but_spares_reading(
    staff: APIClient, device: DeviceToken
) -> None:
    tag = "W/" + staff.get(path_of(device))["ETag"]
    assert change(staff, device, tag, language="de").status_code == 412
    assert staff.get(path_of(device), headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.django_db
def test_one_of_several_tags_is_enough(staff: APIClient, device: DeviceToken) -> None:
    tag = staff.get(path_of(device))["ETag"]
    assert change(staff, device, f'"a.b", {tag}', language="de").status_code == 200


@pytest.mark.django_db
def test_what_a_reader_has_already_is_not_sent_again(staff: APIClient, device: DeviceToken) -> None:
    tag = staff.get(path_of(device))["ETag"]
    answer = staff.get(path_of(device), headers={"If-None-Match": tag})
    assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", tag)
    DeviceToken.objects.update(last_seen_at=timezone.now())
    assert staff.get(path_of(device), headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.django_db
def test_what_is_not_there_is_404_whatever_is_matched(staff: APIClient) -> None:
    answer = staff.patch("/api/devices/7/", {}, format="json", headers={"If-Match": '"a.b"'})
    assert answer.status_code == 404


@pytest.mark.django_db
def test_a_list_carries_no_tag(staff: APIClient, device: DeviceToken) -> None:
    assert "ETag" not in staff.get("/api/devices/")


@pytest.mark.django_db(transaction=True)
def test_of_writers_who_read_the_same_one_changes_it() -> None:
    [device] = make_devices(make_project(), 1)
    user = get_user_model().objects.create_user("staff", is_superuser=True)

    def client() -> APIClient:
        client = APIClient()
        client.force_authenticate(user)
        return client

    tag = client().get(path_of(device))["ETag"]
    languages = iter(["de", "fr", "it", "es", "pl", "pt", "nl", "sv"])

    def write() -> int:
        return int(change(client(), device, tag, language=next(languages)).status_code)

    statuses = run_at_once(8, write)
    assert sorted(statuses) == [200] + [412] * 7
