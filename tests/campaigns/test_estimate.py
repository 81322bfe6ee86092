from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from campaigns import engine, estimate
from campaigns.estimate import estimate_of
from devices.models import DeviceToken, FcmProject
from tests.cast import NOW, make_campaign, make_devices, make_project

pytestmark = pytest.mark.django_db

QUOTA = 600_000
FULL_PACE = QUOTA / 61
"""What the pacer makes of the quota: all of it within any minute, lateness and burst counted in."""


@pytest.fixture(autouse=True)
def fresh_pace() -> Iterator[None]:
    client = engine._redis()
    yield
    for key in client.scan_iter("pushcore:pace:*"):
        client.delete(key)


def of(**fields: Any) -> estimate.Estimate:
    return estimate_of(make_campaign(**fields), now=NOW)


def paces(found: estimate.Estimate) -> list[tuple[float | None, float | None]]:
    return [(one.messages_per_second, one.seconds) for one in found.projects]


def test_the_reach_is_the_active_devices_of_the_audience_by_platform() -> None:
    project = make_project()
    make_devices(project, 3)
    make_devices(project, 2, platform="ios", user_id="ann")
    gone = make_devices(project, 1, user_id="ann")
    DeviceToken.objects.filter(pk=gone[0].pk).update(is_active=False, inactive_reason="requested")
    everybody, ann = of(), of(target_all=False, target_user_ids=["ann", "bob"])
    assert (everybody.total, everybody.is_exact) == (5, True)
    assert everybody.platforms == {"android": 3, "ios": 2, "web": 0}
    assert (ann.total, ann.platforms) == (2, {"android": 0, "ios": 2, "web": 0})


def test_an_audience_of_nobody_takes_no_time() -> None:
    found = of(target_all=False, target_user_ids=["bob"])
    assert (found.total, found.stale_share, found.seconds_to_finish) == (0, 0.0, None)
    assert found.projects == []


def test_what_was_not_seen_for_thirty_days_is_stale() -> None:
    project = make_project()
    for age_s, count in [(0, 2), (30 * 86_400 - 1, 1), (30 * 86_400, 1), (300 * 86_400, 2)]:
        make_devices(project, count, last_seen_at=NOW - timedelta(seconds=age_s))
    found = of()
    assert (found.total, found.stale, found.stale_share) == (6, 3, 0.5)


@pytest.mark.parametrize(("priority", "share"), [("high", 1.0), ("normal", 0.9), ("low", 0.8)])
def test_each_priority_has_its_share_of_the_quota(priority: str, share: float) -> None:
    make_devices(make_project(quota_per_minute=QUOTA), 10)
    [(rate, seconds)] = paces(of(priority=priority))
    assert rate == pytest.approx(FULL_PACE * share, abs=0.1)
    assert seconds == round(10 / (FULL_PACE * share), 1)


def test_projects_send_side_by_side_and_the_slowest_ends_last() -> None:
    fast, slow = make_project(quota_per_minute=QUOTA), make_project(quota_per_minute=6_000)
    make_devices(fast, 5)
    make_devices(slow, 200)
    found = of(priority="high")
    assert [(one.project_id, one.devices) for one in found.projects] == [
        (fast.project_id, 5),
        (slow.project_id, 200),
    ]
    assert found.seconds_to_finish == found.projects[1].seconds == round(200 * 61 / 6_000, 1)


def test_the_campaigns_own_pace_may_be_the_slowest() -> None:
    make_devices(make_project(quota_per_minute=QUOTA), 30)
    assert of(rate_limit_per_second=10).seconds_to_finish == 3.0


def test_without_any_pace_nobody_can_tell() -> None:
    make_devices(make_project(quota_per_minute=0), 3)
    found = of()
    assert (paces(found), found.seconds_to_finish) == ([(None, None)], None)


def refused(project: FcmProject, *, wait_s: float) -> None:
    engine.pacer_of(project).penalise(wait_s)


def test_a_project_that_was_refused_for_want_of_quota_takes_longer() -> None:
    project = make_project(quota_per_minute=QUOTA)
    make_devices(project, 3)
    refused(project, wait_s=60)
    [one] = of(priority="high").projects
    assert one.blocked_for_s == pytest.approx(60, abs=5)
    assert one.messages_per_second == pytest.approx(FULL_PACE * 0.7, rel=0.01)
    assert one.seconds == pytest.approx(one.blocked_for_s, abs=0.1)


def test_where_redis_is_away_the_quota_alone_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine._redis.cache_clear()
    monkeypatch.setattr(settings, "REDIS_URL", "redis://127.0.0.1:1/0")
    try:
        make_devices(make_project(quota_per_minute=QUOTA), 3)
        [one] = of(priority="high").projects
    finally:
        engine._redis.cache_clear()
        monkeypatch.undo()
    assert (one.messages_per_second, one.blocked_for_s) == (round(FULL_PACE, 1), 0.0)


def test_a_large_audience_is_counted_in_part_and_stretched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = make_project()
    [first, *_] = make_devices(project, 120)
    make_devices(project, 80, platform="ios", last_seen_at=NOW - timedelta(days=40))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE devices_devicetoken SET id = id - %s", [first.pk - 1])
    monkeypatch.setattr(estimate, "_counted", lambda *_, **__: None)
    monkeypatch.setattr(estimate, "RANGES", 20)
    monkeypatch.setattr(estimate, "RANGE", 5)
    found = of()
    assert (found.is_exact, found.total, found.stale) == (False, 200, 80)
    assert found.platforms == {"android": 120, "ios": 80, "web": 0}


def test_counting_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    make_devices(make_project(), 3)
    slow = DeviceToken.objects.extra(where=["pg_sleep(0.1) IS NOT NULL"])
    monkeypatch.setattr(estimate, "COUNT_FOR_MS", 50)
    assert estimate._counted(slow, seen_before=NOW) is None
    monkeypatch.setattr(estimate, "COUNT_FOR_MS", 60_000)
    assert estimate._counted(slow, seen_before=NOW) is not None
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


def test_counting_takes_one_processor_and_leaves_the_others_to_short_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []
    before = workers_of_a_statement()

    def look(*_: Any, **__: Any) -> list[Any]:
        seen.append(workers_of_a_statement())
        return []

    monkeypatch.setattr(estimate, "_grouped", look)
    estimate._counted(DeviceToken.objects.all(), seen_before=NOW)
    assert (seen, workers_of_a_statement()) == (["0"], before)
    assert before != "0"


def workers_of_a_statement() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW max_parallel_workers_per_gather")
        [workers] = cursor.fetchone()
    return str(workers)
