from __future__ import annotations

import json

import pytest
import redis
from prometheus_client import REGISTRY

from pushcore.breakers import BatchBreaker, ShareBreaker
from pushcore.gate import Clocks, Live, PacedGate, Pacing
from pushcore.messages import Priority
from pushcore.outcomes import Outcome, Trouble, Verdict
from pushcore.pacing import Limit, Pacer
from pushcore.transports.base import Answer

START = 1_000_000.0  # small enough for fractions of a second to be exact
OK = Answer(200, b'{"name":"projects/p/messages/1"}')
QUOTA = json.dumps(
    {
        "error": {
            "code": 429,
            "status": "RESOURCE_EXHAUSTED",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "RATE_LIMIT_EXCEEDED",
                }
            ],
        }
    }
).encode()


class Bench:
    """A gate on a real pacer, with time and the campaign's state in hand."""

    def __init__(self, client: redis.Redis, key: str) -> None:
        self.now = START
        self.live = Live()
        self.polls = 0
        self.breaker = BatchBreaker(mismatches=ShareBreaker(threshold=0.5, minimum=50))
        self.pacer = Pacer(client, project_key=key, quota_per_minute=0, clock=lambda: self.now)

    def poll(self) -> Live:
        self.polls += 1
        return self.live

    def gate(self, *, messages: int = 500, lasts_s: float = 100.0) -> PacedGate:
        return PacedGate(
            Pacing(self.pacer, Priority.HIGH, self.pacer.project_key),
            breaker=self.breaker,
            poll=self.poll,
            messages=messages,
            deadline=self.now + lasts_s,
            clocks=Clocks(lambda: self.now, lambda: self.now),
        )


@pytest.fixture
def bench(redis_client: redis.Redis, unique_key: str) -> Bench:
    return Bench(redis_client, unique_key)


class TestPermits:
    def test_all_start_where_nothing_limits(self, bench: Bench) -> None:
        assert bench.gate().admit(500) == 500

    def test_they_start_at_the_shared_pace(self, bench: Bench) -> None:
        bench.pacer.quota_per_minute = 61 * 64  # a permit each 1/64 s
        gate = bench.gate()

        assert gate.admit(500) == 1
        assert gate.admit(500) == 0
        assert gate.wait_s() == 2 / 64
        bench.now += 2 / 64
        assert gate.admit(500) == 2

    def test_the_pacer_is_not_asked_before_it_said_so(
        self, bench: Bench, redis_client: redis.Redis
    ) -> None:
        bench.pacer.quota_per_minute = 10
        gate = bench.gate()
        gate.admit(1)
        gate.admit(1)
        before = redis_client.info("commandstats")["cmdstat_evalsha"]["calls"]

        assert sum(gate.admit(1) for _ in range(100)) == 0

        assert redis_client.info("commandstats")["cmdstat_evalsha"]["calls"] == before

    def test_one_by_one_costs_no_question_each(
        self, bench: Bench, redis_client: redis.Redis
    ) -> None:
        gate = bench.gate()
        gate.admit(1)
        before = redis_client.info("commandstats")["cmdstat_evalsha"]["calls"]

        assert sum(gate.admit(1) for _ in range(499)) == 499

        asked = redis_client.info("commandstats")["cmdstat_evalsha"]["calls"] - before
        assert asked <= 12

    def test_no_more_are_taken_than_the_batch_needs(
        self, bench: Bench, redis_client: redis.Redis, unique_key: str
    ) -> None:
        bench.live = Live(rate_limit_per_second=1_000)
        gate = bench.gate(messages=150)
        bench.now += 1
        bench.pacer.take(1, priority=Priority.HIGH, campaign_key=unique_key, campaign_rate=1_000)
        bench.now += 1

        assert sum(gate.admit(1) for _ in range(150)) == 150

        left = bench.pacer.take(
            1_000, priority=Priority.HIGH, campaign_key=unique_key, campaign_rate=1_000
        )
        assert left.granted == 251 - 150

    @pytest.mark.parametrize(("age_s", "spent"), [(0.25, 1), (0.26, 0)])
    def test_old_permits_are_not_spent(self, bench: Bench, *, age_s: float, spent: int) -> None:
        gate = bench.gate()
        gate.admit(1)
        gate.admit(1)  # took two, kept one
        bench.pacer.penalise(100)

        bench.now += age_s

        assert gate.admit(1) == spent


class TestClosing:
    def test_it_closes_within_half_a_second_of_a_stop(self, bench: Bench) -> None:
        gate = bench.gate()
        bench.live = Live(stop=True)

        bench.now += 0.49
        assert not gate.is_closed()
        bench.now += 0.01
        assert gate.is_closed()

    def test_the_campaign_is_asked_about_twice_a_second_only(self, bench: Bench) -> None:
        gate = bench.gate()
        for _ in range(1_000):
            bench.now += 0.002
            gate.is_closed()

        assert bench.polls == pytest.approx(5, abs=1)

    def test_a_changed_rate_is_in_force_at_the_next_poll(self, bench: Bench) -> None:
        bench.live = Live(rate_limit_per_second=0.1)
        gate = bench.gate()
        assert gate.admit(500) == 1
        assert gate.admit(500) == 0

        bench.live = Live(rate_limit_per_second=None)
        started = 0
        while bench.now < START + 2:
            bench.now += 0.05
            gate.is_closed()
            started += gate.admit(499)

        assert started == 499

    def test_it_closes_at_the_deadline(self, bench: Bench) -> None:
        gate = bench.gate(lasts_s=10)

        bench.now += 10

        assert gate.is_closed()
        assert gate.admit(1) == 0

    @pytest.mark.parametrize("slow", ["campaign", "quota"])
    def test_a_batch_that_has_waited_two_seconds_for_its_pace_is_handed_back(
        self, bench: Bench, slow: str
    ) -> None:
        if slow == "campaign":
            bench.live = Live(rate_limit_per_second=4)
        else:
            bench.pacer.quota_per_minute = 4 * 60
        gate = bench.gate()

        started = 0
        while not gate.is_closed():
            started += gate.admit(500)
            bench.now += 1 / 64

        assert bench.now - START == pytest.approx(2.0, abs=0.5)
        assert started == pytest.approx(8, abs=2)
        assert gate.blocked_s == 0

    def test_a_batch_that_gets_its_pace_within_two_seconds_is_sent_whole(
        self, bench: Bench
    ) -> None:
        bench.live = Live(rate_limit_per_second=300)
        gate = bench.gate(messages=500)

        started = 0
        while bench.now < START + 1.75:
            started += gate.admit(500)
            bench.now += 1 / 64

        assert started == 500

    def test_it_closes_when_a_breaker_trips(self, bench: Bench) -> None:
        gate = bench.gate()
        gate.admit(1)

        bench.breaker.hear(Verdict(Outcome.FAILED, trouble=Trouble.PAYLOAD))

        assert gate.is_closed()

    def test_once_closed_it_stays_closed(self, bench: Bench) -> None:
        gate = bench.gate()
        bench.live = Live(stop=True)
        bench.now += 1
        assert gate.is_closed()

        bench.live = Live()
        bench.now += 1

        assert gate.is_closed()


class TestQuotaRefused:
    def test_it_holds_everybody_and_hands_the_batch_back(self, bench: Bench) -> None:
        gate, other = bench.gate(), bench.gate()
        gate.admit(10)
        gate.observe(Answer(429, QUOTA, retry_after="30"))

        assert (gate.admit(10), other.admit(10)) == (0, 0)
        assert gate.is_closed()
        assert other.is_closed()
        assert gate.blocked_s == pytest.approx(30.0)

    def test_a_short_block_is_waited_for(self, bench: Bench) -> None:
        gate = bench.gate()
        gate.admit(10)
        gate.observe(Answer(429, QUOTA, retry_after="3"))

        assert gate.admit(10) == 0
        assert not gate.is_closed()
        assert gate.wait_s() == 1.0
        bench.now += 3
        assert gate.admit(10) == 10
        gate.close()
        assert gate.waited_s == {Limit.BLOCKED: pytest.approx(3.0)}

    def test_success_says_nothing(self, bench: Bench) -> None:
        gate = bench.gate()
        gate.admit(10)
        gate.observe(OK)

        assert gate.admit(10) == 10


def test_waiting_is_accounted_for_by_what_was_short(bench: Bench) -> None:
    bench.live = Live(rate_limit_per_second=1)
    gate = bench.gate(messages=2)

    while not gate.admit(2):
        bench.now += gate.wait_s()
    while not gate.admit(1):
        bench.now += gate.wait_s()
    gate.close()

    assert gate.waited_s == {Limit.CAMPAIGN: pytest.approx(1.0)}


def test_what_is_in_flight_is_shown_until_the_batch_ends(bench: Bench) -> None:
    def shown() -> float | None:
        labels = {"project": bench.pacer.project_key}
        return REGISTRY.get_sample_value("pushcore_in_flight", labels)

    gate = bench.gate()
    gate.admit(100)
    for _ in range(30):
        gate.observe(OK)
    gate.admit(100)  # told when permits are taken, not with every message
    assert shown() == 70

    gate.close()
    assert shown() == 0
