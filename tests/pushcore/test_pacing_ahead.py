"""By how much what was granted runs ahead of a pace: what a free process goes by."""

from __future__ import annotations

import pytest
import redis

from pushcore.messages import Priority
from pushcore.pacing import Pacer
from tests.pushcore.pace import Clock, clock, pacer

__all__ = ["clock", "pacer"]


def test_an_unused_pace_is_not_ahead(pacer: Pacer) -> None:
    assert pacer.ahead_s(priority=Priority.NORMAL) == 0.0


def test_a_pace_is_ahead_by_what_was_granted_beyond_it(pacer: Pacer, clock: Clock) -> None:
    pacer.take(1, priority=Priority.HIGH)
    clock.now += 10
    assert pacer.ahead_s(priority=Priority.HIGH) == 0.0
    granted = pacer.take(1_000, priority=Priority.HIGH).granted
    assert granted == 1_000
    assert pacer.ahead_s(priority=Priority.HIGH) == pytest.approx(1_000 * 61 / 600_000, abs=1e-6)
    clock.now += 0.05
    assert pacer.ahead_s(priority=Priority.HIGH) == pytest.approx(
        1_000 * 61 / 600_000 - 0.05, abs=1e-6
    )


def test_who_is_less_urgent_is_ahead_by_the_share_of_the_pace_too(
    pacer: Pacer, clock: Clock
) -> None:
    pacer.take(1, priority=Priority.NORMAL)
    clock.now += 10
    pacer.take(900, priority=Priority.NORMAL)
    assert pacer.ahead_s(priority=Priority.HIGH) == pytest.approx(900 * 61 / 600_000, abs=1e-6)
    assert pacer.ahead_s(priority=Priority.NORMAL) == pytest.approx(1_000 * 61 / 600_000, abs=1e-6)


def test_looking_how_far_a_pace_is_ahead_takes_nothing(pacer: Pacer, clock: Clock) -> None:
    pacer.take(1, priority=Priority.HIGH)
    clock.now += 10
    for _ in range(5):
        pacer.ahead_s(priority=Priority.HIGH)
    assert pacer.take(2_000, priority=Priority.HIGH).granted == 2_000


def test_a_blocked_project_is_ahead_by_what_is_left_of_the_block(
    pacer: Pacer, clock: Clock
) -> None:
    pacer.penalise(30)
    clock.now += 10
    assert pacer.ahead_s(priority=Priority.HIGH) == pytest.approx(20, abs=1e-6)


def test_a_campaigns_own_pace_is_ahead_while_it_has_one(pacer: Pacer, clock: Clock) -> None:
    pacer.quota_per_minute = 0
    pacer.take(1, priority=Priority.LOW, campaign_key="7", campaign_rate=0.5)
    ahead_s = pacer.ahead_s(priority=Priority.LOW, campaign_key="7", campaign_rate=0.5)
    assert ahead_s == pytest.approx(2.0, abs=1e-6)
    assert pacer.ahead_s(priority=Priority.LOW, campaign_key="7") == 0.0
    assert pacer.ahead_s(priority=Priority.LOW, campaign_key="8", campaign_rate=0.5) == 0.0


def test_a_pace_is_ahead_by_what_is_announced_until_it_is_withdrawn(pacer: Pacer) -> None:
    pacer.announce("7", messages=500, for_s=15)
    pacer.announce("8", messages=100, for_s=15)
    each_s = 61 / 600_000
    assert pacer.ahead_s(priority=Priority.HIGH) == pytest.approx(600 * each_s, abs=1e-6)
    assert pacer.ahead_s(priority=Priority.NORMAL) == pytest.approx(600 * each_s / 0.9, abs=1e-6)
    pacer.withdraw("7")
    assert pacer.ahead_s(priority=Priority.HIGH) == pytest.approx(100 * each_s, abs=1e-6)


def test_what_is_announced_is_added_to_what_was_granted(pacer: Pacer, clock: Clock) -> None:
    pacer.take(1, priority=Priority.HIGH)
    clock.now += 10
    pacer.take(1_000, priority=Priority.HIGH)
    pacer.announce("7", messages=500, for_s=15)
    assert pacer.ahead_s(priority=Priority.HIGH) == pytest.approx(1_500 * 61 / 600_000, abs=1e-6)


def test_what_nobody_withdraws_is_forgotten_in_time(pacer: Pacer, clock: Clock) -> None:
    """Whoever announced it was killed, and another has announced since."""
    pacer.announce("7", messages=500, for_s=15)
    clock.now += 10
    pacer.announce("8", messages=100, for_s=15)
    clock.now += 6
    assert pacer.ahead_s(priority=Priority.HIGH) == pytest.approx(100 * 61 / 600_000, abs=1e-6)


def test_announcing_takes_nothing(pacer: Pacer, clock: Clock) -> None:
    pacer.take(1, priority=Priority.HIGH)
    clock.now += 10
    pacer.announce("7", messages=500, for_s=15)
    assert pacer.take(2_000, priority=Priority.HIGH).granted == 2_000


def test_without_a_quota_nothing_is_ahead_of_an_older_one(pacer: Pacer) -> None:
    pacer.take(100, priority=Priority.HIGH)
    pacer.announce("7", messages=500, for_s=15)
    pacer.quota_per_minute = 0
    assert pacer.ahead_s(priority=Priority.HIGH) == 0.0


def test_where_redis_is_away_nothing_is_known_to_be_ahead() -> None:
    nobody = redis.Redis(port=1, socket_connect_timeout=1)
    pacer = Pacer(nobody, project_key="shop", quota_per_minute=600_000)
    pacer.announce("7", messages=500, for_s=15)
    pacer.withdraw("7")
    assert pacer.ahead_s(priority=Priority.HIGH) == 0.0
