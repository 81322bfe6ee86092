from __future__ import annotations

import pytest

from devices.models import DeviceToken
from devices.services import (
    count_stale,
    deactivate_dead,
    deactivate_stale,
    register_device,
    upsert_devices,
)
from tests.cast import NOW, make_devices, make_project, seconds_later
from tests.concurrency import run_at_once

pytestmark = pytest.mark.django_db


def pairs(devices: list[DeviceToken]) -> list[tuple[int, str]]:
    return [(device.pk, device.address) for device in devices]


def state_of(device: DeviceToken) -> tuple[bool, str, object]:
    device.refresh_from_db()
    return device.is_active, device.inactive_reason, device.inactive_since


def test_dead_devices_are_deactivated_with_the_reason_and_the_time() -> None:
    dead, alive = make_devices(make_project(), 2)
    assert deactivate_dead(devices=pairs([dead]), now=NOW) == 1
    assert state_of(dead) == (False, "dead_address", NOW)
    assert dead.updated_at == NOW
    assert state_of(alive) == (True, "", None)


def test_a_device_that_has_a_new_address_by_now_is_left_alone() -> None:
    [device] = make_devices(make_project(), 1)
    assert deactivate_dead(devices=[(device.pk, "what it was")], now=NOW) == 0
    assert state_of(device) == (True, "", None)


def test_a_device_that_is_inactive_already_keeps_its_reason() -> None:
    devices = make_devices(make_project(), 1, is_active=False, inactive_reason="requested")
    assert deactivate_dead(devices=pairs(devices), now=NOW) == 0
    assert state_of(devices[0]) == (False, "requested", None)


def test_a_device_that_is_gone_by_now_is_no_trouble() -> None:
    devices = make_devices(make_project(), 2)
    reported = pairs(devices)
    devices[0].delete()
    assert deactivate_dead(devices=reported, now=NOW) == 1


def test_a_device_named_twice_counts_once() -> None:
    devices = make_devices(make_project(), 1)
    assert deactivate_dead(devices=pairs(devices * 2), now=NOW) == 1


def test_an_address_of_any_letters_is_compared_as_it_is() -> None:
    devices = make_devices(make_project(), 1, address="a'b\"{,}\\ 🦊%")
    assert deactivate_dead(devices=pairs(devices), now=NOW) == 1


@pytest.mark.django_db(transaction=True)
def test_campaigns_that_meet_the_same_dead_devices_at_once_do_not_deadlock() -> None:
    reported = pairs(make_devices(make_project(), 200))
    orders = [reported, reported[::-1], reported[100:] + reported[:100], reported]
    counts = run_at_once(
        4, lambda: deactivate_dead(devices=orders.pop(), now=seconds_later(len(orders)))
    )
    assert sorted(counts) == [0, 0, 0, 200]


@pytest.mark.django_db(transaction=True)
def test_two_registrations_of_one_address_at_once_make_one_device() -> None:
    make_project()
    users = ["ann", "bob", "cleo", "dan"]

    def register() -> tuple[int, bool]:
        given = {"user_id": users.pop(), "address": "a1", "platform": "web"}
        device, is_new = register_device(given=given, now=NOW)
        return device.pk, is_new

    answers = run_at_once(4, register)
    assert sorted(is_new for _, is_new in answers) == [False, False, False, True]
    assert {pk for pk, _ in answers} == {DeviceToken.objects.get().pk}


@pytest.mark.django_db(transaction=True)
def test_bulk_calls_and_settling_campaigns_that_meet_do_not_deadlock() -> None:
    devices = make_devices(make_project(), 1_000)
    given = [
        {"user_id": "ann", "address": device.address, "platform": "android"} for device in devices
    ]
    reported = pairs(devices)
    jobs = [
        lambda: upsert_devices(rows=given, now=NOW).merged.updated,
        lambda: deactivate_dead(devices=reported, now=NOW),
        lambda: (
            upsert_devices(
                rows=[one | {"country": "BR"} for one in reversed(given)], now=NOW
            ).merged.updated
        ),
        lambda: deactivate_dead(devices=reported[::-1], now=NOW),
    ]
    counts = run_at_once(4, lambda: jobs.pop()())  # noqa: PLW0108  each thread takes its own
    assert sum(counts) in (2_000, 3_000)  # the second bulk call may find all as it wants it
    assert set(DeviceToken.objects.values_list("user_id", "country", "is_active")) == {
        ("ann", "BR", False)
    }


def test_stale_devices_are_deactivated_slice_by_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.services._PRUNE_AT_ONCE", 2)
    project = make_project()
    stale = make_devices(project, 5, last_seen_at=seconds_later(-1))
    kept = make_devices(project, 2, last_seen_at=NOW)
    dead = {"is_active": False, "inactive_reason": "dead_address"}
    [inactive] = make_devices(project, 1, last_seen_at=seconds_later(-1), **dead)
    assert count_stale(before=NOW) == 5
    assert deactivate_stale(before=NOW, now=seconds_later(1)) == 5
    assert {state_of(device) for device in stale} == {(False, "stale", seconds_later(1))}
    assert {state_of(device) for device in kept} == {(True, "", None)}
    assert state_of(inactive) == (False, "dead_address", None)
    assert deactivate_stale(before=NOW, now=seconds_later(2)) == 0
