from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from devices.audience import Audience, ByRules
from devices.models import DeviceToken
from devices.segments import estimates
from devices.segments.estimates import Reach, estimate, sample
from devices.segments.rules import parse_rules
from tests.cast import NOW, make_devices, make_project
from tests.devices.segments.cast import make_list

pytestmark = pytest.mark.django_db
_MANY = """
INSERT INTO devices_devicetoken (project_id, user_id, address, platform, tags)
SELECT %s, 'user-' || n, repeat('address-' || n, 8),
       (ARRAY['android', 'ios', 'ios', 'web'])[1 + n %% 4], jsonb_build_object('vip', n %% 3 = 0)
  FROM generate_series(1, 6000) AS n
"""
VIP = {"field": "tags.vip", "op": "eq", "value": True}


def by(rules: Any) -> Audience:
    return Audience(everybody=True, by_rules=ByRules(parse_rules(rules), now=NOW))


@pytest.fixture
def no_time_to_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting is given up at once."""
    monkeypatch.setattr(estimates, "_rows_within", lambda limit_ms, rows: None)


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> list[DeviceToken]:
    """6,000 devices, a third of them VIPs; a quarter of the pages is looked at."""
    with connection.cursor() as cursor:
        cursor.execute(_MANY, [make_project().pk])
    with connection.cursor() as cursor:
        cursor.execute(estimates._PAGES)
        [pages] = cursor.fetchone()
    monkeypatch.setattr(estimates, "SAMPLED_PAGES", pages // 4)
    return list(DeviceToken.objects.order_by("pk"))


def test_what_can_be_counted_is_counted_by_platform() -> None:
    project = make_project()
    make_devices(project, 3, tags={"vip": True})
    make_devices(project, 2, tags={"vip": True}, platform="ios")
    make_devices(project, 4)
    make_devices(project, 4, tags={"vip": True}, is_active=False, inactive_reason="stale")
    assert estimate(by(VIP)) == Reach(5, {"android": 3, "ios": 2, "web": 0}, True, 0)


def test_what_takes_too_long_is_estimated_and_says_so(
    no_time_to_count: None, many: list[DeviceToken]
) -> None:
    reach = estimate(by(VIP))
    assert not reach.is_exact
    assert 0 < reach.margin < 2_000
    assert abs(reach.total - 2_000) <= 2 * reach.margin
    assert sum(reach.platforms.values()) == reach.total
    assert reach.platforms["android"] < reach.platforms["ios"]
    assert estimate(by(VIP)) == reach


def test_whoever_is_rare_may_be_missed_but_not_denied(
    no_time_to_count: None, many: list[DeviceToken]
) -> None:
    reach = estimate(by({"field": "tags.vip", "op": "eq", "value": "never"}))
    assert (reach.total, reach.is_exact) == (0, False)
    assert reach.margin > 0


def test_a_table_that_is_read_whole_is_counted_after_all(no_time_to_count: None) -> None:
    make_devices(make_project(), 7, tags={"vip": True}, platform="web")
    assert estimate(by(VIP)) == Reach(7, {"android": 0, "ios": 0, "web": 7}, True, 0)
    assert estimate(by({"not": VIP})).total == 0


def test_nobody_registered_is_nobody(no_time_to_count: None) -> None:
    assert estimate(by(VIP)).total == 0
    assert sample(by(VIP)) == []


def test_a_count_that_takes_too_long_is_cut_short() -> None:
    slow = DeviceToken.objects.raw("SELECT *, pg_sleep(9) FROM devices_devicetoken")
    make_devices(make_project(), 1)
    assert estimates._rows_within(20, slow) is None  # type: ignore[arg-type]
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


def test_a_sample_is_of_twenty_devices_spread_over_all(many: list[DeviceToken]) -> None:
    found = sample(by(VIP))
    assert len(found) == 20
    assert all(device.tags == {"vip": True} for device in found)
    ids = [device.pk for device in found]
    assert len(set(ids)) == 20
    assert max(ids) - min(ids) > 1_000
    assert [device.pk for device in sample(by(VIP))] == ids


def test_a_sample_of_a_few_is_all_of_them(many: list[DeviceToken]) -> None:
    rare = [many[5], many[3_000], many[5_999]]
    listed = make_list({device.user_id for device in rare})
    rule = {"field": "user_id", "op": "in_list", "value": listed.pk}
    assert sample(by(rule)) == rare
