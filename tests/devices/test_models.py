from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from devices.models import DeviceToken, FcmProject
from tests.cast import make_devices, make_project

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("address", ["plain:APA91b_x-y", "ș🦊", "x" * 4_096, "a\\b\\\\c\\101\\"])
def test_an_address_is_found_by_the_first_half_of_its_sha_256(address: str) -> None:
    [device] = make_devices(make_project(), 1, address=address)
    device.refresh_from_db()
    digest = hashlib.sha256(address.encode()).digest()
    assert device.address_digest == UUID(bytes=digest[:16])


def test_the_digest_follows_the_address() -> None:
    [device] = make_devices(make_project(), 1, address="old")
    DeviceToken.objects.update(address="new")
    device.refresh_from_db()
    assert device.address_digest == UUID(bytes=hashlib.sha256(b"new").digest()[:16])


def test_an_address_is_registered_once_in_a_project() -> None:
    project = make_project()
    make_devices(project, 1, address="same")
    with pytest.raises(IntegrityError, match="device_address_once"), transaction.atomic():
        make_devices(project, 1, address="same")
    assert len(make_devices(make_project(), 1, address="same")) == 1


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        ("device_has_address", {"address": ""}),
        ("device_platform_known", {"platform": "symbian"}),
        ("device_kind_known", {"address_kind": "pager"}),
        ("device_inactive_with_reason", {"is_active": False}),
        ("device_inactive_with_reason", {"inactive_reason": "stale"}),
    ],
)
def test_the_database_refuses_an_impossible_device(rule: str, fields: dict[str, Any]) -> None:
    make_devices(make_project(), 1)
    with pytest.raises(IntegrityError, match=rule), transaction.atomic():
        DeviceToken.objects.update(**fields)


def test_a_project_with_devices_is_not_deleted() -> None:
    project = make_project()
    make_devices(project, 1)
    with pytest.raises(ProtectedError):
        project.delete()


@pytest.mark.parametrize("project_id", ["UPPER", "1abcdef", "abc", "a" * 64, "a_b_c_d", "a/../b"])
def test_what_is_no_google_project_id_is_refused(project_id: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        FcmProject(project_id=project_id, credentials="env:KEY").full_clean()
    assert list(refusal.value.message_dict) == ["project_id"]


def test_a_project_has_the_providers_default_quota() -> None:
    assert make_project().quota_per_minute == 600_000


def test_names_show_neither_address_nor_credentials() -> None:
    project = make_project()
    [device] = make_devices(project, 1)
    assert (str(project), str(device)) == (project.project_id, f"device {device.pk} (android)")


@pytest.mark.parametrize("reference", ["file:/run/secrets/fcm.json", "env:FCM_KEY", "encrypted:x"])
def test_a_reference_to_credentials_is_taken(reference: str) -> None:
    FcmProject(project_id="acme-push", credentials=reference).full_clean()


def test_a_key_instead_of_a_reference_is_refused_and_not_repeated() -> None:
    key = '{"private_key": "-----BEGIN PRIVATE KEY-----"}'
    with pytest.raises(ValidationError, match="never the key") as refusal:
        FcmProject(project_id="acme-push", credentials=key).full_clean()
    assert "BEGIN" not in str(refusal.value)
