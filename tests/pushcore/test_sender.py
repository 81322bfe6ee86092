"""The sender over the fake transport and a real pacer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from pushcore.credentials import TokenRefusedError, TokenUnavailableError
from pushcore.gate import Clocks, Live
from pushcore.messages import AddressKind, Content, Platform, Priority, Template
from pushcore.outcomes import Outcome, Trouble
from pushcore.pacing import Pacer
from pushcore.retry import Guarantee
from pushcore.sender import Addressed, Order, Sender
from pushcore.transports.base import Answer, Fault
from pushcore.transports.fake import FakeTransport

NOW = 1_700_000_000.0
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
PENDING, SUCCESS, INVALID, FAILED, UNKNOWN = (
    int(outcome)
    for outcome in (
        *(Outcome.PENDING, Outcome.SUCCESS, Outcome.INVALID_TOKEN),
        *(Outcome.FAILED, Outcome.UNKNOWN),
    )
)


def refusal(http: int, status: str, code: str = "", **details: Any) -> Answer:
    error: dict[str, Any] = {"code": http, "status": status, "message": "The provider's words."}
    if code:
        error["details"] = [{"@type": FCM_ERROR, "errorCode": code}]
    if details:
        error["details"] = [details]
    return Answer(http, json.dumps({"error": error}).encode())


ANSWERS = {
    "gone": refusal(404, "NOT_FOUND", "UNREGISTERED"),
    "mismatch": refusal(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"),
    "thirdparty": refusal(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"),
    "payload": refusal(400, "INVALID_ARGUMENT"),
    "project": refusal(403, "PERMISSION_DENIED"),
    "token": refusal(401, "UNAUTHENTICATED"),
    "busy": refusal(503, "UNAVAILABLE", "UNAVAILABLE"),
    "often": refusal(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"),
    "unsent": Answer(0, fault=Fault.NEVER_SENT),
    "timeout": Answer(0, fault=Fault.TIMEOUT),
}


def by_name(message: dict[str, Any]) -> Answer:
    """Answer as the address says: `<name>-…`, or accept."""
    address: str = message["token"]
    accepted = json.dumps({"name": f"projects/p/messages/id-{address}"}).encode()
    return ANSWERS.get(address.split("-", maxsplit=1)[0], Answer(200, accepted))


class FakeTokens:
    """Counts refreshes; `failure` is what a refresh raises."""

    def __init__(self) -> None:
        self.value = "first"
        self.rejections: list[str] = []
        self.failure: Exception | None = None

    def current(self) -> str:
        return self.value

    def rejected(self, token: str) -> None:
        self.rejections.append(token)
        if self.failure is not None:
            raise self.failure
        self.value = "second"


class Bench:
    """A sender with everything around it in hand."""

    def __init__(self, client: redis.Redis, key: str) -> None:
        self.now = 1_000.0
        self.tokens = FakeTokens()
        self.transport = FakeTransport(by_name, in_flight=50)
        self.pacer = Pacer(client, project_key=key, quota_per_minute=0, clock=lambda: self.now)
        self.sender = Sender(
            transport=self.transport,
            tokens=self.tokens,
            pacer=self.pacer,
            random=lambda: 0.5,
            clocks=Clocks(lambda: self.now, lambda: NOW),
        )

    def order(
        self,
        *,
        guarantee: Guarantee = Guarantee.AT_LEAST_ONCE,
        poll: Callable[[], Live] = Live,
        lasts_s: float = 100.0,
    ) -> Order:
        content = Content(campaign_id=7, title="Spring", body="Sale")
        return Order(
            template=Template(content, now=datetime.fromtimestamp(NOW, tz=UTC)),
            priority=Priority.NORMAL,
            guarantee=guarantee,
            campaign_key="7",
            deadline=self.now + lasts_s,
            poll=poll,
        )

    def answer_with(self, handler: Callable[[dict[str, Any]], Answer]) -> None:
        self.transport.handler = handler

    def sent_to(self) -> list[str]:
        return [request["message"]["token"] for request in self.transport.requests]


def devices_of(*names: str, platform: Platform = Platform.ANDROID) -> list[Addressed]:
    return [
        Addressed(number, name, AddressKind.TOKEN, platform) for number, name in enumerate(names, 1)
    ]


def many(name: str, number: int, platform: Platform = Platform.ANDROID) -> list[Addressed]:
    return devices_of(*(f"{name}-{i}" for i in range(number)), platform=platform)


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
