from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from rest_framework.test import APIClient

from devices.models import DeviceImport, DeviceToken, FcmProject
from tests.cast import NOW, make_devices

pytestmark = pytest.mark.django_db

ENDPOINTS = [
    ("GET", "/api/devices/"),
    ("POST", "/api/devices/"),
    ("POST", "/api/devices/bulk/"),
    ("GET", "/api/devices/{id}/"),
    ("PATCH", "/api/devices/{id}/"),
    ("DELETE", "/api/devices/{id}/"),
    ("GET", "/api/devices/imports/"),
    ("POST", "/api/devices/imports/"),
    ("GET", "/api/devices/imports/{import}/"),
    ("GET", "/api/devices/imports/{import}/rejects/"),
]


@pytest.fixture
def device(project: FcmProject) -> DeviceToken:
    [device] = make_devices(project, 1)
    return device


def status_of(client: APIClient, method: str, path: str, device: DeviceToken) -> int:
    record = DeviceImport.objects.create(
        file_format="csv", total_bytes=1, created_at=NOW, updated_at=NOW
    )
    path = path.replace("{id}", str(device.pk)).replace("{import}", str(record.pk))
    answer = client.generic(method, path, "x", content_type="text/csv")
    device.refresh_from_db()
    assert device.is_active
    assert (DeviceToken.objects.count(), DeviceImport.objects.count()) == (1, 1)
    return answer.status_code


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_nobody_gets_in_without_an_account(method: str, path: str, device: DeviceToken) -> None:
    assert status_of(APIClient(), method, path, device) == 401


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_an_account_outside_the_staff_is_not_enough(
    method: str, path: str, device: DeviceToken
) -> None:
    client = APIClient()
    client.force_authenticate(get_user_model().objects.create_user("outsider"))
    assert status_of(client, method, path, device) == 403


def test_a_device_is_not_replaced_whole(staff: APIClient, device: DeviceToken) -> None:
    assert staff.put(f"/api/devices/{device.pk}/", {}, format="json").status_code == 405
