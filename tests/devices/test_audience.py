from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.audience import Audience, newest_device_id
from devices.models import DeviceToken
from tests.cast import make_devices, make_project

pytestmark = pytest.mark.django_db

EVERYBODY = Audience(everybody=True)


def test_everybody_is_all_who_are_active() -> None:
    active = make_devices(make_project(), 2)
    make_devices(make_project(), 1, is_active=False, inactive_reason="stale")
    assert sorted(EVERYBODY.devices().values_list("pk", flat=True)) == [
        device.pk for device in active
    ]


def test_some_users_are_all_their_active_devices() -> None:
    project = make_project()
    ann = make_devices(project, 2, user_id="ann")
    make_devices(project, 1, user_id="ann", is_active=False, inactive_reason="requested")
    make_devices(project, 1, user_id="anna")
    chosen = Audience(user_ids=["ann"]).devices()
    assert sorted(chosen.values_list("pk", flat=True)) == [device.pk for device in ann]


def test_users_are_told_apart_by_every_letter() -> None:
    make_devices(make_project(), 1, user_id="Ann")
    assert not Audience(user_ids=["ann", "Ann ", "%"]).devices().exists()


def test_nobody_named_is_nobody() -> None:
    make_devices(make_project(), 1)
    assert not Audience().devices().exists()
    assert Audience().projects() == []


def test_the_devices_of_a_project_come_in_the_order_of_their_ids_within_a_range() -> None:
    project, other = make_project(), make_project()
    first, second, third, fourth = make_devices(project, 4)
    make_devices(other, 2)
    chosen = EVERYBODY.devices_of_project(project.pk, after_id=first.pk, until_id=third.pk)
    assert list(chosen) == [second, third]
    rest = EVERYBODY.devices_of_project(project.pk, after_id=third.pk, until_id=2**62)
    assert list(rest) == [fourth]


def test_the_projects_are_those_that_reach_somebody() -> None:
    first, second, _, inactive = (make_project() for _ in range(4))
    make_devices(first, 1, user_id="ann")
    make_devices(second, 1, user_id="bob")
    make_devices(inactive, 1, user_id="ann", is_active=False, inactive_reason="stale")
    assert EVERYBODY.projects() == [first.pk, second.pk]
    assert Audience(user_ids=["ann"]).projects() == [first.pk]


def test_finding_the_projects_reads_no_table_however_late_a_project_came() -> None:
    for _ in range(3):
        make_devices(make_project(), 1_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE devices_devicetoken")
        with CaptureQueriesContext(connection) as asked:
            assert len(EVERYBODY.projects()) == 3
        plans = []
        for query in asked.captured_queries:
            cursor.execute(f"EXPLAIN {query['sql']}")
            plans.append("\n".join(line for [line] in cursor.fetchall()))
    assert len(plans) == 4
    assert ["device_audience_order" in plan for plan in plans] == [True] * 4


def test_the_newest_device_is_that_with_the_highest_id() -> None:
    assert newest_device_id() == 0
    *_, newest = make_devices(make_project(), 3)
    assert newest_device_id() == newest.pk
    DeviceToken.objects.filter(pk=newest.pk).delete()
    assert newest_device_id() == newest.pk - 1


def test_planning_walks_an_index_instead_of_sorting() -> None:
    project = make_project()
    make_devices(project, 2_000)
    devices = EVERYBODY.devices_of_project(project.pk, after_id=0, until_id=2**62)
    plan = devices.values("id")[:10].explain()
    assert "Sort" not in plan
