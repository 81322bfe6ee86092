"""The shared quota, on a real server; time is simulated, so that minutes take milliseconds."""

from __future__ import annotations

import heapq
import random
import uuid
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pushcore.messages import Priority
from pushcore.pacing import LATENESS_S, Grant, Limit, Pacer
from tests.fixtures.redis import ValkeyServer
from tests.pushcore.pace import START, Clock, clock, pacer

__all__ = ["clock", "pacer"]


class Worker:
    """Takes as much as it can use, and comes back when it is told to (a little late)."""

    def __init__(
        self,
        priority: Priority,
        *,
        chunk: int,
        late: Callable[[], float],
        rate: float | None = None,
    ) -> None:
        self.priority = priority
        self.sent: list[float] = []
        self._chunk = chunk
        self._late = late
        self._rate = rate

    def turn(self, pacer: Pacer, now: float) -> float:
        grant = pacer.take(
            self._chunk,
            priority=self.priority,
            campaign_key=str(id(self)),
            campaign_rate=self._rate,
        )
        self.sent.extend(now + self._late() * LATENESS_S for _ in range(grant.granted))
        return now + max(grant.wait_s, 0.001) + self._late() * 0.01


def simulate(pacer: Pacer, clock: Clock, workers: list[Worker], *, seconds: float) -> None:
    queue = [(START + i / 1000, i) for i in range(len(workers))]
    while queue:
        clock.now, index = heapq.heappop(queue)
        if clock.now < START + seconds:
            heapq.heappush(queue, (workers[index].turn(pacer, clock.now), index))


def busiest(times: list[float], *, window_s: float = 60.0) -> int:
    """Return the most that any half-open window of that length holds."""
    ordered = sorted(times)
    return max((bisect_left(ordered, t + window_s) - i for i, t in enumerate(ordered)), default=0)


class TestQuota:
    def test_97_percent_is_used_over_three_minutes_and_no_minute_exceeds_it(
        self, redis_client: redis.Redis, unique_key: str, clock: Clock
    ) -> None:
        pacer = Pacer(redis_client, project_key=unique_key, quota_per_minute=30_000, clock=clock)
        jitter = random.Random(7).random
        workers = [Worker(Priority.HIGH, chunk=50, late=jitter) for _ in range(4)]

        simulate(pacer, clock, workers, seconds=180)

        sent = [t for worker in workers for t in worker.sent]
        assert sum(t < START + 180 for t in sent) >= 0.97 * 90_000
        assert busiest(sent) <= 30_000

    @settings(
        max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(
        quota=st.integers(1, 3_000),
        priorities=st.lists(st.sampled_from(list(Priority)), min_size=1, max_size=5),
        chunk=st.integers(1, 100),
        seed=st.integers(0, 1_000),
        ramp_s=st.sampled_from([0.0, 60.0]),
    )
    def test_no_minute_exceeds_it_whoever_asks_and_however_late_it_arrives(  # noqa: PLR0917
        self,
        redis_client: redis.Redis,
        quota: int,
        priorities: list[Priority],
        chunk: int,
        seed: int,
        ramp_s: float,
    ) -> None:
        clock, jitter = Clock(), random.Random(seed).random
        key = uuid.uuid4().hex
        pacer = Pacer(
            redis_client, project_key=key, quota_per_minute=quota, ramp_s=ramp_s, clock=clock
        )
        workers = [Worker(p, chunk=chunk, late=jitter) for p in priorities]

        simulate(pacer, clock, workers, seconds=90)

        assert 0 < busiest([t for worker in workers for t in worker.sent]) <= quota

    def test_an_emptied_store_grants_no_burst_on_top(
        self, redis_client: redis.Redis, unique_key: str, pacer: Pacer, clock: Clock
    ) -> None:
        pacer.take(100, priority=Priority.HIGH)
        clock.now += 10
        assert pacer.take(10_000, priority=Priority.HIGH).granted > 2_000

        redis_client.delete(f"pushcore:pace:project:{unique_key}")

        assert pacer.take(10_000, priority=Priority.HIGH).granted == 1

    def test_a_change_is_in_force_at_the_next_take(self, pacer: Pacer, clock: Clock) -> None:
        pacer.quota_per_minute = 10
        assert pacer.take(5, priority=Priority.HIGH).granted == 1
        assert pacer.take(5, priority=Priority.HIGH).wait_s > 5

        pacer.quota_per_minute = 600_000

        assert pacer.take(5, priority=Priority.HIGH).wait_s < 0.001
        clock.now += 0.001
        assert pacer.take(5, priority=Priority.HIGH).granted == 5

    def test_without_a_quota_all_is_granted(self, pacer: Pacer) -> None:
        pacer.quota_per_minute = 0

        assert pacer.take(1_000_000, priority=Priority.LOW) == Grant(1_000_000, 0.0, Limit.NONE)

    def test_a_clock_that_jumps_back_an_hour_stops_nobody_for_long(
        self, pacer: Pacer, clock: Clock
    ) -> None:
        pacer.take(100, priority=Priority.HIGH)

        clock.now -= 3_600

        assert pacer.take(100, priority=Priority.HIGH).wait_s < 1

    def test_it_runs_on_the_servers_own_clock(
        self, redis_client: redis.Redis, unique_key: str
    ) -> None:
        pacer = Pacer(redis_client, project_key=unique_key, quota_per_minute=600_000)

        grants = [pacer.take(50, priority=Priority.HIGH) for _ in range(3)]

        assert grants[0].granted >= 1
        assert all(grant.wait_s < 1 for grant in grants)
        assert pacer.state() == (600_000, 1.0, 0.0)


class TestPriorities:
    @pytest.mark.parametrize(
        ("priority", "share"),
        [(Priority.HIGH, 1.0), (Priority.NORMAL, 0.9), (Priority.LOW, 0.8)],
    )
    def test_each_uses_its_share_alone(
        self,
        redis_client: redis.Redis,
        unique_key: str,
        clock: Clock,
        priority: Priority,
        share: float,
    ) -> None:
        pacer = Pacer(redis_client, project_key=unique_key, quota_per_minute=60_000, clock=clock)
        worker = Worker(priority, chunk=100, late=lambda: 0.0)

        simulate(pacer, clock, [worker], seconds=60)

        assert len(worker.sent) == pytest.approx(60_000 * 60 / 61 * share, rel=0.01)

    def test_high_takes_all_it_asks_for_out_of_bulk_in_progress(
        self, redis_client: redis.Redis, unique_key: str, clock: Clock
    ) -> None:
        pacer = Pacer(redis_client, project_key=unique_key, quota_per_minute=60_000, clock=clock)
        bulk = [Worker(p, chunk=100, late=lambda: 0.0) for p in (Priority.NORMAL, Priority.LOW)]
        simulate(pacer, clock, bulk, seconds=10)
        bulk_before = sum(len(worker.sent) for worker in bulk)
        high = Worker(Priority.HIGH, chunk=100, late=lambda: 0.0)

        clock.now = START
        simulate_from = START + 10
        queue = [(simulate_from, worker) for worker in [high, *bulk]]
        while queue:
            queue.sort(key=lambda turn: turn[0])
            clock.now, worker = queue.pop(0)
            if clock.now < simulate_from + 10:
                queue.append((worker.turn(pacer, clock.now), worker))

        assert len(high.sent) >= 0.97 * 10_000 * 60 / 61
        assert sum(len(worker.sent) for worker in bulk) - bulk_before <= 0.03 * 10_000

    def test_all_of_them_together_use_the_quota(
        self, redis_client: redis.Redis, unique_key: str, clock: Clock
    ) -> None:
        pacer = Pacer(redis_client, project_key=unique_key, quota_per_minute=60_000, clock=clock)
        modest = Worker(Priority.HIGH, chunk=100, late=lambda: 0.0, rate=500)
        bulk = Worker(Priority.NORMAL, chunk=100, late=lambda: 0.0)

        simulate(pacer, clock, [modest, bulk], seconds=60)

        per_second = Counter(int(t - START) for t in modest.sent)
        assert min(per_second.values()) >= 490
        total = len(modest.sent) + len(bulk.sent)
        assert total == pytest.approx(60_000 * 60 / 61, rel=0.01)


class TestCampaignRate:
    def test_a_campaign_keeps_to_its_own_pace(
        self, redis_client: redis.Redis, unique_key: str, clock: Clock
    ) -> None:
        pacer = Pacer(redis_client, project_key=unique_key, quota_per_minute=600_000, clock=clock)
        worker = Worker(Priority.NORMAL, chunk=100, late=lambda: 0.0, rate=20)

        simulate(pacer, clock, [worker], seconds=30)

        assert len(worker.sent) == pytest.approx(600, abs=6)

    def test_it_says_that_the_campaign_is_what_limits(self, pacer: Pacer, unique_key: str) -> None:
        grants = [
            pacer.take(5, priority=Priority.HIGH, campaign_key=unique_key, campaign_rate=0.5)
            for _ in range(2)
        ]

        assert grants[0] == Grant(1, 2.0, Limit.CAMPAIGN)
        assert grants[1] == Grant(0, 2.0, Limit.CAMPAIGN)

    def test_a_change_is_in_force_at_the_next_take(
        self, pacer: Pacer, clock: Clock, unique_key: str
    ) -> None:
        def take(rate: float) -> int:
            return pacer.take(
                100, priority=Priority.HIGH, campaign_key=unique_key, campaign_rate=rate
            ).granted

        assert take(0.01) == 1
        clock.now += 0.1
        assert take(0.01) == 0
        assert take(1_000) == 0
        clock.now += 0.1
        assert take(1_000) >= 99


class TestRefusals:
    def test_a_refusal_blocks_everybody_until_retry_after(
        self, redis_client: redis.Redis, unique_key: str, pacer: Pacer, clock: Clock
    ) -> None:
        other = Pacer(redis_client, project_key=unique_key, quota_per_minute=600_000, clock=clock)
        pacer.penalise(30.0)

        assert other.take(1, priority=Priority.HIGH) == Grant(0, 30.0, Limit.BLOCKED)
        clock.now += 29
        assert other.take(1, priority=Priority.HIGH) == Grant(0, 1.0, Limit.BLOCKED)
        clock.now += 1
        assert other.take(1, priority=Priority.HIGH).granted == 1

    def test_a_refusal_without_retry_after_blocks_for_a_minute(self, pacer: Pacer) -> None:
        pacer.penalise(None)

        assert pacer.take(1, priority=Priority.HIGH).wait_s == 60.0

    def test_a_project_without_quota_is_blocked_as_well(self, pacer: Pacer) -> None:
        pacer.quota_per_minute = 0
        pacer.penalise(5.0)

        assert pacer.take(1, priority=Priority.HIGH).limited_by is Limit.BLOCKED

    def test_the_refusals_of_one_incident_lower_the_pace_once(
        self, pacer: Pacer, clock: Clock
    ) -> None:
        for _ in range(500):
            pacer.penalise(1.0)
        clock.now += 2
        pacer.penalise(1.0)

        assert pacer.state().factor == pytest.approx(0.7, abs=0.01)

    def test_the_pace_recovers_within_minutes(self, pacer: Pacer, clock: Clock) -> None:
        pacer.penalise(1.0)
        clock.now += 180
        assert pacer.state().factor == pytest.approx(0.85)
        clock.now += 180
        assert pacer.state().factor == pytest.approx(1.0)

    def test_a_quota_set_twice_too_high_ends_in_no_storm(
        self, redis_client: redis.Redis, unique_key: str, clock: Clock
    ) -> None:
        pacer = Pacer(redis_client, project_key=unique_key, quota_per_minute=12_000, clock=clock)
        real, phase = 6_000, 17.0
        counted: Counter[int] = Counter()
        refused = 0
        while clock.now < START + 900:
            window, into = divmod(clock.now - START + phase, 60.0)
            grant = pacer.take(20, priority=Priority.HIGH)
            over = max(0, counted[int(window)] + grant.granted - real)
            counted[int(window)] += grant.granted - over
            refused += over
            if over:
                pacer.penalise(60.0 - into)
            clock.now += max(grant.wait_s, 0.05)

        assert refused <= 0.01 * sum(counted.values())
        assert sum(counted.values()) >= 0.6 * real * 15


class TestRamp:
    def test_an_idle_project_starts_slowly_and_reaches_the_full_pace(
        self, redis_client: redis.Redis, unique_key: str, clock: Clock
    ) -> None:
        pacer = Pacer(
            redis_client, project_key=unique_key, quota_per_minute=60_000, ramp_s=60, clock=clock
        )
        worker = Worker(Priority.HIGH, chunk=100, late=lambda: 0.0)

        simulate(pacer, clock, [worker], seconds=90)

        per_second = Counter(int(t - START) for t in worker.sent)
        assert per_second[1] < 60
        assert per_second[30] == pytest.approx(500, rel=0.1)
        assert per_second[75] == pytest.approx(984, rel=0.05)


class TestWithoutRedis:
    def test_nothing_is_granted_while_it_is_gone_and_all_goes_on_after(
        self, own_redis: ValkeyServer, unique_key: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        client = redis.Redis.from_url(own_redis.url, socket_timeout=1, socket_connect_timeout=1)
        pacer = Pacer(client, project_key=unique_key, quota_per_minute=0)
        assert pacer.take(10, priority=Priority.HIGH).granted == 10

        own_redis.kill()
        for _ in range(2):
            assert pacer.take(10, priority=Priority.HIGH) == Grant(0, 1.0, Limit.STORE)
        pacer.penalise(10.0)
        assert [record.levelname for record in caplog.records] == ["WARNING"]

        own_redis.start()
        assert pacer.take(10, priority=Priority.HIGH).granted == 10
        client.close()
