"""The sender and single devices: their outcomes, what never left, what was stopped."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import redis

from pushcore.gate import Live
from pushcore.messages import AddressKind, Platform
from pushcore.order import Addressed
from pushcore.retry import Guarantee
from pushcore.transports.base import Answer
from tests.pushcore.sender_bench import (
    ANSWERS,
    FAILED,
    INVALID,
    NOW,
    PENDING,
    SUCCESS,
    UNKNOWN,
    Bench,
    by_name,
    devices_of,
    many,
)


@pytest.fixture
def bench(redis_client: redis.Redis, unique_key: str) -> Bench:
    return Bench(redis_client, unique_key)


class TestEachDevice:
    def test_it_gets_its_own_message_and_outcome_in_order(self, bench: Bench) -> None:
        report = bench.sender.send(devices_of("a", "gone", "b", "mismatch"), bench.order())

        assert report.outcomes == [SUCCESS, INVALID, SUCCESS, FAILED]
        assert report.message_ids == ["id-a", None, "id-b", None]
        assert report.codes == ["", "UNREGISTERED", "", "SENDER_ID_MISMATCH"]
        assert report.retry_in_s == [None] * 4
        assert report.attempts == [1] * 4
        assert report.troubles == {}
        ids = [r["message"]["data"]["pushcore_id"] for r in bench.transport.requests]
        assert ids == ["7.1", "7.2", "7.3", "7.4"]

    def test_nobody_is_nobody(self, bench: Bench) -> None:
        assert bench.sender.send([], bench.order()).outcomes == []

    def test_what_may_have_been_accepted_waits_for_its_retry(self, bench: Bench) -> None:
        report = bench.sender.send(devices_of("busy", "timeout", "often"), bench.order())

        assert report.outcomes == [PENDING] * 3
        assert report.codes == ["UNAVAILABLE", "TIMEOUT", "QUOTA_EXCEEDED"]
        assert report.retry_in_s == [15.0, 15.0, 65.0]
        assert report.attempts == [1, 1, 1]
        assert report.ambiguous == [True, True, False]

    def test_what_earlier_tries_left_counts(self, bench: Bench) -> None:
        fresh, fourth, fifth, spoilt = (
            Addressed(number, "often", AddressKind.TOKEN, Platform.IOS, attempts, ambiguous, NOW)
            for number, (attempts, ambiguous) in enumerate(
                [(0, False), (3, False), (4, False), (4, True)], 1
            )
        )
        old = Addressed(5, "often", AddressKind.TOKEN, Platform.IOS, 1, since=NOW - 3_600)

        report = bench.sender.send([fresh, fourth, fifth, spoilt, old], bench.order())

        assert report.outcomes == [PENDING, PENDING, FAILED, UNKNOWN, FAILED]
        assert report.attempts == [1, 4, 5, 5, 2]

    def test_at_most_once_settles_the_unknowable_at_once(self, bench: Bench) -> None:
        order = bench.order(guarantee=Guarantee.AT_MOST_ONCE)

        report = bench.sender.send(devices_of("busy", "timeout", "often"), order)

        assert report.outcomes == [UNKNOWN, UNKNOWN, PENDING]

    def test_its_address_is_in_no_detail(self, bench: Bench) -> None:
        bench.answer_with(lambda message: Answer(400, f"<p>{message['token']}?</p>".encode()))

        report = bench.sender.send(devices_of("short-address"), bench.order())

        assert report.details == ["<p>[redacted]?</p>"]


class TestNeverSent:
    def test_it_is_sent_again_at_once(self, bench: Bench) -> None:
        tries: Counter[str] = Counter()

        def second_time(message: dict[str, Any]) -> Answer:
            tries[message["token"]] += 1
            late = message["token"].startswith("late") and tries[message["token"]] < 3
            return ANSWERS["unsent"] if late else by_name(message)

        bench.answer_with(second_time)

        report = bench.sender.send(devices_of("a", "late", "b"), bench.order())

        assert report.outcomes == [SUCCESS] * 3
        assert tries == {"a": 1, "late": 3, "b": 1}

    def test_after_three_times_it_waits_and_no_attempt_was_used(self, bench: Bench) -> None:
        report = bench.sender.send(devices_of("unsent", "a"), bench.order())

        assert bench.sent_to().count("unsent") == 3
        assert (report.outcomes, report.attempts) == ([PENDING, SUCCESS], [0, 1])
        assert report.retry_in_s == [15.0, None]
        assert report.codes[0] == "NEVER_SENT"


class TestStopping:
    def test_what_was_not_started_comes_back_untouched(self, bench: Bench) -> None:
        live = iter([Live()])

        def poll() -> Live:
            return next(live, Live(stop=True))

        def slow(message: dict[str, Any]) -> Answer:
            bench.now += 0.02
            return by_name(message)

        bench.answer_with(slow)

        report = bench.sender.send(many("a", 500), bench.order(poll=poll))

        assert report.outcomes == [SUCCESS] * 50 + [PENDING] * 450
        assert report.attempts == [1] * 50 + [0] * 450
        assert report.retry_in_s == [None] * 500

    def test_nothing_starts_after_the_deadline(self, bench: Bench) -> None:
        report = bench.sender.send(devices_of("a"), bench.order(lasts_s=0.0))

        assert report.outcomes == [PENDING]
        assert bench.transport.requests == []

    def test_an_interruption_passes_through(self, bench: Bench) -> None:
        class SoftTimeLimit(Exception):
            pass

        def interrupted(_message: dict[str, Any]) -> Answer:
            raise SoftTimeLimit

        bench.answer_with(interrupted)

        with pytest.raises(SoftTimeLimit):
            bench.sender.send(devices_of("a"), bench.order())
