"""The sender and what concerns more than one device: our token, breakers, the quota."""

from __future__ import annotations

import pytest
import redis

from pushcore.credentials import TokenRefusedError, TokenUnavailableError
from pushcore.messages import Platform
from pushcore.outcomes import Trouble
from pushcore.transports.base import Answer
from tests.pushcore.sender_bench import (
    ANSWERS,
    ERROR_INFO,
    FAILED,
    PENDING,
    SUCCESS,
    Bench,
    by_name,
    devices_of,
    many,
    refusal,
)


@pytest.fixture
def bench(redis_client: redis.Redis, unique_key: str) -> Bench:
    return Bench(redis_client, unique_key)


class TestAccessToken:
    def test_a_refused_token_is_refreshed_once_and_all_is_sent(self, bench: Bench) -> None:
        bench.answer_with(
            lambda message: by_name(message) if bench.tokens.rejections else ANSWERS["token"]
        )

        report = bench.sender.send(many("a", 200), bench.order())

        assert report.outcomes == [SUCCESS] * 200
        assert bench.tokens.rejections == ["first"]
        assert report.troubles == {}

    def test_refused_a_second_time_the_project_is_in_trouble(self, bench: Bench) -> None:
        report = bench.sender.send(many("token", 200), bench.order())

        assert bench.tokens.rejections == ["first"]
        assert report.outcomes == [PENDING] * 200
        assert report.attempts == [0] * 200
        assert report.troubles == {Trouble.ACCESS_TOKEN: "UNAUTHENTICATED The provider's words."}
        assert len(bench.transport.requests) == 2 * 50

    def test_a_refresh_that_fails_loses_no_outcome(self, bench: Bench) -> None:
        bench.tokens.failure = TokenRefusedError("account disabled")

        report = bench.sender.send(devices_of("a", "token", "b"), bench.order())

        assert report.outcomes == [SUCCESS, PENDING, SUCCESS]
        assert report.troubles == {Trouble.ACCESS_TOKEN: "account disabled"}

    def test_a_refresh_that_fails_for_now_is_no_ones_trouble(self, bench: Bench) -> None:
        bench.tokens.failure = TokenUnavailableError("no answer")

        report = bench.sender.send(devices_of("a", "token"), bench.order())

        assert report.outcomes == [SUCCESS, PENDING]
        assert report.troubles == {}
        assert report.blocked_s == 30.0

    def test_an_apns_key_refused_refreshes_nothing(self, bench: Bench) -> None:
        report = bench.sender.send(
            [
                *devices_of("thirdparty", platform=Platform.IOS),
                *devices_of("a", platform=Platform.ANDROID),
            ],
            bench.order(),
        )

        assert bench.tokens.rejections == []
        assert report.outcomes == [FAILED, SUCCESS]
        assert report.broken_platforms == {Platform.IOS}
        assert report.troubles == {Trouble.PLATFORM: "The provider's words."}

    def test_a_third_party_refusal_is_not_sent_again_with_the_token(self, bench: Bench) -> None:
        bench.answer_with(
            lambda message: (
                ANSWERS["token"]
                if message["token"] == "a" and not bench.tokens.rejections
                else by_name(message)
            )
        )

        report = bench.sender.send(devices_of("thirdparty", "a"), bench.order())

        assert report.outcomes == [FAILED, SUCCESS]
        assert bench.sent_to() == ["thirdparty", "a", "a"]


class TestBreakers:
    @pytest.mark.parametrize(
        ("name", "trouble", "outcome"),
        [
            ("payload", Trouble.PAYLOAD, FAILED),
            ("project", Trouble.PROJECT, PENDING),
        ],
    )
    def test_no_more_than_what_is_in_flight_follows_a_fatal_answer(
        self, bench: Bench, name: str, trouble: Trouble, outcome: int
    ) -> None:
        report = bench.sender.send([*many(name, 50), *many("a", 450)], bench.order())

        assert len(bench.transport.requests) == 50
        assert report.outcomes == [outcome] * 50 + [PENDING] * 450
        assert report.retry_in_s[50:] == [None] * 450
        assert list(report.troubles) == [trouble]

    def test_many_mismatches_stop_the_batch(self, bench: Bench) -> None:
        report = bench.sender.send(many("mismatch", 500), bench.order())

        assert len(bench.transport.requests) == 50
        assert list(report.troubles) == [Trouble.MISMATCH]
        assert report.outcomes == [FAILED] * 50 + [PENDING] * 450

    def test_some_mismatches_stop_nothing(self, bench: Bench) -> None:
        report = bench.sender.send([*many("a", 60), *many("mismatch", 40)], bench.order())

        assert report.outcomes == [SUCCESS] * 60 + [FAILED] * 40
        assert report.troubles == {}

    def test_nothing_unsent_is_sent_after_a_fatal_answer(self, bench: Bench) -> None:
        bench.sender.send(devices_of("unsent", "payload"), bench.order())

        assert bench.sent_to() == ["unsent", "payload"]

    def test_a_broken_platform_fails_untried_for_a_minute_and_the_others_go_on(
        self, bench: Bench
    ) -> None:
        bench.sender.send(many("thirdparty", 20, Platform.IOS), bench.order())
        bench.transport.requests.clear()
        mixed = [*many("b", 5, Platform.IOS), *many("a", 5)]

        report = bench.sender.send(mixed, bench.order())

        assert report.outcomes == [FAILED] * 5 + [SUCCESS] * 5
        assert report.codes == ["THIRD_PARTY_AUTH_ERROR"] * 5 + [""] * 5
        assert report.broken_platforms == {Platform.IOS}
        assert len(bench.transport.requests) == 5
        bench.now += 61
        assert bench.sender.send(mixed, bench.order()).outcomes == [SUCCESS] * 10

    def test_a_single_refused_key_does_not_condemn_the_platform(self, bench: Bench) -> None:
        bench.sender.send(
            [*many("a", 40, Platform.WEB), *many("thirdparty", 10, Platform.WEB)], bench.order()
        )

        report = bench.sender.send(many("b", 5, Platform.WEB), bench.order())

        assert report.outcomes == [SUCCESS] * 5


class TestQuota:
    def test_a_refusal_hands_the_batch_back_and_blocks_everybody(self, bench: Bench) -> None:
        info = {"@type": ERROR_INFO, "reason": "RATE_LIMIT_EXCEEDED"}
        body = refusal(429, "RESOURCE_EXHAUSTED", **info).body
        bench.answer_with(lambda _: Answer(429, body, retry_after="40"))

        report = bench.sender.send(many("a", 200), bench.order())
        after = bench.sender.send(many("b", 10), bench.order())

        assert len(bench.transport.requests) == 50
        assert report.outcomes == [PENDING] * 200
        assert report.attempts == [0] * 200
        assert report.retry_in_s == [45.0] * 50 + [None] * 150
        assert report.blocked_s == pytest.approx(40.0)
        assert list(report.troubles) == [Trouble.PROJECT_QUOTA]
        assert after.outcomes == [PENDING] * 10
        assert after.blocked_s == pytest.approx(40.0)
