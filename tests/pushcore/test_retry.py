from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushcore.outcomes import Outcome, Trouble, Verdict
from pushcore.retry import Final, Guarantee, RetryIn, RetryPolicy

AMBIGUOUS = Verdict(Outcome.PENDING, "UNAVAILABLE", ambiguous=True)
DEVICE_QUOTA = Verdict(Outcome.PENDING, "QUOTA_EXCEEDED", trouble=Trouble.DEVICE_QUOTA)
PROJECT_QUOTA = Verdict(Outcome.PENDING, "RATE_LIMIT_EXCEEDED", trouble=Trouble.PROJECT_QUOTA)
NEVER_SENT = Verdict(Outcome.PENDING, "NEVER_SENT", retry_now=True)


def decide(verdict: Verdict, **changes: Any) -> Final | RetryIn:
    arguments: dict[str, Any] = {
        "attempt": 1,
        "age_s": 0.0,
        "guarantee": Guarantee.AT_LEAST_ONCE,
        "was_ambiguous": False,
        "random": lambda: 0.0,
    } | changes
    return RetryPolicy().decide(verdict, **arguments)


@pytest.mark.parametrize("guarantee", list(Guarantee))
@pytest.mark.parametrize(
    "verdict",
    [
        Verdict(Outcome.SUCCESS, message_id="1"),
        Verdict(Outcome.INVALID_TOKEN, "UNREGISTERED"),
        Verdict(Outcome.FAILED, "SENDER_ID_MISMATCH", trouble=Trouble.MISMATCH),
    ],
)
def test_what_is_settled_stays_settled(verdict: Verdict, guarantee: Guarantee) -> None:
    assert decide(verdict, guarantee=guarantee) == Final(verdict.outcome, verdict.code)


class TestDistance:
    @pytest.mark.parametrize(
        ("attempt", "least", "most"), [(1, 10, 20), (2, 10, 40), (3, 10, 80), (4, 10, 160)]
    )
    def test_it_grows_exponentially_with_full_jitter_above_ten_seconds(
        self, attempt: int, least: float, most: float
    ) -> None:
        assert decide(AMBIGUOUS, attempt=attempt) == RetryIn(least)
        assert decide(AMBIGUOUS, attempt=attempt, random=lambda: 1.0) == RetryIn(most)

    def test_it_ends_at_the_policys_bound(self) -> None:
        policy = RetryPolicy(max_delay_s=50)

        assert policy.backoff_s(30, random=lambda: 1.0) == 50.0
        assert policy.backoff_s(10_000, random=lambda: 1.0) == 50.0

    @pytest.mark.parametrize("verdict", [AMBIGUOUS, DEVICE_QUOTA])
    def test_retry_after_is_honoured_and_never_sooner_than_ten_seconds(
        self, verdict: Verdict
    ) -> None:
        assert decide(verdict._replace(retry_after_s=45.0)) == RetryIn(45.0)
        assert decide(verdict._replace(retry_after_s=45.0), random=lambda: 0.5) == RetryIn(50.0)
        assert decide(verdict._replace(retry_after_s=1.0)) == RetryIn(10.0)

    def test_a_devices_own_quota_waits_a_minute_at_least_and_ever_longer(self) -> None:
        assert decide(DEVICE_QUOTA) == RetryIn(60.0)
        assert decide(DEVICE_QUOTA, attempt=2, random=lambda: 1.0) == RetryIn(90.0)

    def test_the_projects_quota_waits_for_retry_after_or_else_a_minute(self) -> None:
        assert decide(PROJECT_QUOTA) == RetryIn(60.0, counts=False)
        asked = PROJECT_QUOTA._replace(retry_after_s=25.0)
        assert decide(asked) == RetryIn(25.0, counts=False)
        assert decide(asked, attempt=99, random=lambda: 1.0) == RetryIn(35.0, counts=False)

    @given(
        attempt=st.integers(1, 1_000),
        retry_after_s=st.one_of(st.none(), st.floats(0, 3_600)),
        draw=st.floats(0, 1, exclude_max=True),
        trouble=st.sampled_from([Trouble.NONE, Trouble.PROJECT_QUOTA]),
    )
    def test_no_retry_of_what_was_sent_is_ever_sooner_than_ten_seconds_or_than_asked(
        self, attempt: int, retry_after_s: float | None, draw: float, trouble: Trouble
    ) -> None:
        verdict = Verdict(Outcome.PENDING, "X", retry_after_s=retry_after_s, trouble=trouble)

        decision = decide(verdict, attempt=attempt, random=lambda: draw)

        if isinstance(decision, RetryIn):
            assert decision.delay_s >= max(10.0, retry_after_s or 0.0)

    def test_what_never_left_is_tried_again_at_once_and_does_not_count(self) -> None:
        assert decide(NEVER_SENT, attempt=99) == RetryIn(0.0, counts=False)


class TestEnd:
    def test_after_five_attempts_it_is_over(self) -> None:
        assert isinstance(decide(DEVICE_QUOTA, attempt=4), RetryIn)
        assert decide(DEVICE_QUOTA, attempt=5) == Final(Outcome.FAILED, "QUOTA_EXCEEDED")

    def test_what_may_have_been_accepted_ends_as_unknown(self) -> None:
        assert decide(AMBIGUOUS, attempt=5) == Final(Outcome.UNKNOWN, "UNAVAILABLE")

    def test_one_ambiguous_attempt_among_refusals_suffices_for_unknown(self) -> None:
        decision = decide(DEVICE_QUOTA, attempt=5, was_ambiguous=True)

        assert decision == Final(Outcome.UNKNOWN, "QUOTA_EXCEEDED")

    @pytest.mark.parametrize(
        ("verdict", "outcome"),
        [
            (AMBIGUOUS, Outcome.UNKNOWN),
            (DEVICE_QUOTA, Outcome.FAILED),
            (PROJECT_QUOTA, Outcome.FAILED),
        ],
    )
    def test_nothing_is_tried_later_than_an_hour_after_the_first_time(
        self, verdict: Verdict, outcome: Outcome
    ) -> None:
        asked = verdict._replace(retry_after_s=100.0)

        assert isinstance(decide(asked, age_s=3_500.0), RetryIn)
        assert decide(asked, age_s=3_501.0) == Final(outcome, verdict.code)

    def test_what_never_left_fails_after_an_hour(self) -> None:
        assert isinstance(decide(NEVER_SENT, age_s=3_600.0), RetryIn)
        assert decide(NEVER_SENT, age_s=3_601.0) == Final(Outcome.FAILED, "NEVER_SENT")

    @pytest.mark.parametrize("trouble", [Trouble.PROJECT, Trouble.ACCESS_TOKEN])
    def test_the_projects_own_trouble_waits_for_a_human_however_long(
        self, trouble: Trouble
    ) -> None:
        verdict = Verdict(Outcome.PENDING, "PERMISSION_DENIED", trouble=trouble)

        assert decide(verdict, attempt=99, age_s=1e6) == RetryIn(10.0, counts=False)


class TestAtMostOnce:
    def test_what_may_have_been_accepted_is_unknown_at_once(self) -> None:
        decision = decide(AMBIGUOUS, guarantee=Guarantee.AT_MOST_ONCE)

        assert decision == Final(Outcome.UNKNOWN, "UNAVAILABLE")

    @pytest.mark.parametrize("verdict", [DEVICE_QUOTA, PROJECT_QUOTA, NEVER_SENT])
    def test_what_surely_was_not_accepted_is_tried_again(self, verdict: Verdict) -> None:
        assert isinstance(decide(verdict, guarantee=Guarantee.AT_MOST_ONCE), RetryIn)
