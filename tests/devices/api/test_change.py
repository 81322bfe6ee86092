from __future__ import annotations

from typing import Any

import pytest

from devices.models import DeviceToken, FcmProject
from tests.answers import complaints_in
from tests.cast import NOW, make_devices
from tests.devices.api.conftest import Call

pytestmark = pytest.mark.django_db


@pytest.fixture
def device(project: FcmProject) -> DeviceToken:
    [device] = make_devices(
        project, 1, user_id="ann", language="de", tags={"plan": "pro"}, last_seen_at=NOW
    )
    return device


def stored(device: DeviceToken) -> dict[str, Any]:
    return dict(DeviceToken.objects.filter(pk=device.pk).values().get())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user_id", "bob"),
        ("platform", "web"),
        ("language", "pt-BR"),
        ("language", ""),
        ("country", "BR"),
        ("timezone", "Europe/Chisinau"),
        ("app_version", "2.0"),
        ("tags", {"vip": True}),
        ("tags", {}),
    ],
)
def test_one_field_is_changed_and_no_other(
    call: Call, device: DeviceToken, field: str, value: Any
) -> None:
    before = stored(device)
    status, body = call("PATCH", f"/api/devices/{device.pk}/", {field: value})
    after = stored(device)
    assert (status, body[field], after[field]) == (200, value, value)
    assert after.pop("updated_at") > before.pop("updated_at")
    assert after == before | {field: value}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user_id", None),
        ("user_id", ""),
        ("user_id", "a\x00"),
        ("platform", "symbian"),
        ("country", "ZZ"),
        ("timezone", "Mars/Olympus"),
        ("tags", None),
        ("tags", {"a": []}),
        ("is_active", "false"),
        ("is_active", None),
        ("is_active", 0),
        ("address", "another"),
        ("address_kind", "fid"),
        ("project", "shop-app"),
        ("last_seen_at", "2026-01-01T00:00:00Z"),
        ("inactive_reason", "stale"),
        ("id", 7),
        ("nonsense", 1),
    ],
)
def test_what_cannot_be_changed_is_named_and_nothing_is(
    call: Call, device: DeviceToken, field: str, value: Any
) -> None:
    before = stored(device)
    status, body = call("PATCH", f"/api/devices/{device.pk}/", {"language": "en", field: value})
    assert (status, list(complaints_in(body))) == (400, [field])
    assert stored(device) == before


def test_a_device_is_deactivated_at_request(call: Call, device: DeviceToken) -> None:
    assert call("DELETE", f"/api/devices/{device.pk}/") == (204, None)
    after = stored(device)
    assert (after["is_active"], after["inactive_reason"]) == (False, "requested")
    assert after["inactive_since"] == after["updated_at"]


def test_deactivating_twice_changes_nothing_more(call: Call, device: DeviceToken) -> None:
    call("DELETE", f"/api/devices/{device.pk}/")
    before = stored(device)
    assert call("DELETE", f"/api/devices/{device.pk}/").status == 204
    assert stored(device) == before


def test_is_active_false_deactivates_too(call: Call, device: DeviceToken) -> None:
    status, body = call("PATCH", f"/api/devices/{device.pk}/", {"is_active": False})
    assert (status, body["is_active"], body["inactive_reason"]) == (200, False, "requested")


def test_is_active_true_brings_a_device_back(call: Call, device: DeviceToken) -> None:
    call("DELETE", f"/api/devices/{device.pk}/")
    status, body = call("PATCH", f"/api/devices/{device.pk}/", {"is_active": True})
    assert (status, body["is_active"], body["inactive_reason"]) == (200, True, "")
    assert body["inactive_since"] is None


def test_a_request_outweighs_another_reason(call: Call, project: FcmProject) -> None:
    [device] = make_devices(project, 1, is_active=False, inactive_reason="stale")
    call("DELETE", f"/api/devices/{device.pk}/")
    assert stored(device)["inactive_reason"] == "requested"


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("device_id", ["0", "999999999999999999"])
def test_a_device_that_is_not_there_is_404(call: Call, method: str, device_id: str) -> None:
    assert call(method, f"/api/devices/{device_id}/", {}).status == 404


def test_a_device_is_not_replaced_whole(call: Call, device: DeviceToken) -> None:
    before = stored(device)
    assert call("PUT", f"/api/devices/{device.pk}/", {}).status == 405
    assert stored(device) == before
