from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.audience import Audience, ByRules
from devices.models import DeviceToken
from devices.segments.rules import parse_rules
from devices.segments.versions import version_key
from tests.cast import NOW, make_devices, make_project
from tests.devices.segments.cast import make_list
from tests.devices.segments.oracle import LISTED, devices, holds, trees

pytestmark = pytest.mark.django_db


def chosen(rules: Any) -> set[int]:
    audience = Audience(everybody=True, by_rules=ByRules(parse_rules(rules), now=NOW))
    return set(audience.devices().values_list("pk", flat=True))


def leaf(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


def test_random_rules_choose_the_devices_that_plain_python_chooses() -> None:
    project = make_project()
    listed = make_list(LISTED)
    numbers = iter(range(10**9))

    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
    )
    @given(st.lists(devices, min_size=5, max_size=10), st.lists(trees(listed.pk), min_size=6))
    def compare(facts: list[dict[str, Any]], rules: list[Any]) -> None:
        DeviceToken.objects.all().delete()
        made = DeviceToken.objects.bulk_create(
            DeviceToken(project=project, address=f"random-{next(numbers)}", **fact)
            for fact in facts
        )
        for rule in rules:
            expected = {device.pk for device in made if holds(rule, device)}
            assert chosen(rule) == expected, rule

    compare()


def test_inactive_devices_are_in_no_segment() -> None:
    make_devices(make_project(), 1, is_active=False, inactive_reason="stale")
    assert chosen(leaf("platform", "eq", "android")) == set()


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ("lt", {"1.9", "1.9.9", "v1"}),
        ("lte", {"1.9", "1.9.9", "v1", "1.10", "1.10.0"}),
        ("gt", {"1.10.0.1", "1.11", "10", "2-beta"}),
        ("gte", {"1.10.0.1", "1.11", "10", "2-beta", "1.10", "1.10.0"}),
    ],
)
def test_versions_are_compared_number_by_number(op: str, expected: set[str]) -> None:
    project = make_project()
    versions = ["1.9", "1.9.9", "v1", "1.10", "1.10.0", "1.10.0.1", "1.11", "10", "2-beta"]
    of = {
        make_devices(project, 1, app_version=one)[0].pk: one for one in [*versions, "nightly", ""]
    }
    assert {of[pk] for pk in chosen(leaf("app_version", op, "1.10"))} == expected


@given(st.text("v0123456789.-+", max_size=30))
@settings(max_examples=150, deadline=None, suppress_health_check=[*HealthCheck])
def test_the_database_reads_versions_as_we_do(version: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pushcore_version_key(%s)", [version])
        [read] = cursor.fetchone()
    key = version_key(version)
    assert read == (None if key is None else list(key))


@pytest.mark.parametrize(
    "hostile", ["'; DROP TABLE devices_devicetoken; --", "%s", "%(x)s", "{}", "{0}", '"', "\\'"]
)
def test_values_never_become_sql(hostile: str) -> None:
    project = make_project()
    [device] = make_devices(
        project, 1, user_id=hostile, app_version=hostile, tags={hostile: hostile}
    )
    make_devices(project, 1)
    name = f"tags.{hostile}"
    for rule in [
        leaf("user_id", "eq", hostile),
        leaf("user_id", "in", [hostile, "x"]),
        leaf("app_version", "eq", hostile),
        leaf(name, "eq", hostile),
        leaf(name, "in", [hostile]),
        leaf(name, "contains", hostile),
        leaf(name, "exists", True),
    ]:
        assert chosen(rule) == {device.pk}, rule


def test_rules_over_facts_are_counted_in_the_index_alone() -> None:
    project = make_project()
    DeviceToken.objects.bulk_create(
        DeviceToken(
            project=project,
            user_id=f"u{number}",
            address=f"a{number}",
            platform="web",
            country="DE" if number % 50 else "AT",
            app_version=f"1.{number % 40}",
        )
        for number in range(5_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE devices_devicetoken; SET LOCAL enable_seqscan = off")
    rule = parse_rules({"all": [leaf("country", "eq", "AT"), leaf("app_version", "gte", "1.10")]})
    audience = Audience(everybody=True, by_rules=ByRules(rule, now=NOW))
    plan = audience.devices().values("platform").explain()
    assert "Index Only Scan using device_facts on devices_devicetoken " in plan
    assert "Seq Scan" not in plan
