from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from devices.models import FcmProject
from devices.projects import ProjectRefused, UnknownProject, change_project, create_project
from tests.concurrency import in_own_connection

pytestmark = pytest.mark.django_db


def made() -> FcmProject:
    return create_project(project_id="acme-push", credentials="env:KEY", quota_per_minute=600)


def test_what_is_given_is_changed_and_the_rest_stays() -> None:
    made()
    change_project(project_id="acme-push", quota_per_minute=0)
    project = FcmProject.objects.get()
    assert (project.quota_per_minute, project.credentials) == (0, "env:KEY")


def test_a_key_pasted_in_is_refused_and_not_repeated() -> None:
    with pytest.raises(ProjectRefused) as refusal:
        create_project(project_id="Acme", credentials='{"private_key"}', quota_per_minute=-1)
    assert list(refusal.value.problems) == ["project_id", "credentials", "quota_per_minute"]
    assert "private_key" not in str(refusal.value)
    assert not FcmProject.objects.exists()


def test_what_can_not_be_changed_stays() -> None:
    made()
    with pytest.raises(ProjectRefused):
        made()
    with pytest.raises(ProjectRefused, match=r"^credentials: Name where the key is"):
        change_project(project_id="acme-push", credentials="KEY", quota_per_minute=7)
    with pytest.raises(UnknownProject):
        change_project(project_id="other-app", quota_per_minute=7)
    assert FcmProject.objects.get().quota_per_minute == 600


@pytest.mark.django_db(transaction=True)
def test_a_project_is_changed_while_devices_come_to_it() -> None:
    made()
    begun, changed = threading.Event(), threading.Event()

    def add_devices() -> bool:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT FROM devices_fcmproject FOR KEY SHARE"
            )  # as the foreign key does
            begun.set()
            return changed.wait(20)

    with ThreadPoolExecutor(1) as pool:
        added_meanwhile = pool.submit(in_own_connection, add_devices)
        assert begun.wait(20)
        change_project(project_id="acme-push", quota_per_minute=7)
        changed.set()
        assert added_meanwhile.result()

    assert FcmProject.objects.get().quota_per_minute == 7
