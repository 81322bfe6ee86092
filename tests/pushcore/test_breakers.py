from __future__ import annotations

import pytest

from pushcore.breakers import BatchBreaker, ShareBreaker
from pushcore.outcomes import Outcome, Trouble, Verdict

MISMATCH = Verdict(Outcome.FAILED, "SENDER_ID_MISMATCH", trouble=Trouble.MISMATCH)
GONE = Verdict(Outcome.INVALID_TOKEN, "UNREGISTERED")


def batch_breaker() -> BatchBreaker:
    return BatchBreaker(mismatches=ShareBreaker(threshold=0.5, minimum=50))


class TestShareBreaker:
    @pytest.mark.parametrize(
        ("hits", "misses", "is_tripped"),
        [(0, 0, False), (49, 0, False), (50, 0, True), (25, 25, True), (24, 26, False)],
    )
    def test_it_trips_on_a_large_share_of_enough(
        self, hits: int, misses: int, *, is_tripped: bool
    ) -> None:
        breaker = ShareBreaker(threshold=0.5, minimum=50)
        for hit in [True] * hits + [False] * misses:
            breaker.count(hit=hit)

        assert breaker.is_tripped is is_tripped


class TestBatchBreaker:
    @pytest.mark.parametrize("trouble", [Trouble.PAYLOAD, Trouble.PROJECT, Trouble.ACCESS_TOKEN])
    def test_one_refusal_of_payload_project_or_token_suffices(self, trouble: Trouble) -> None:
        breaker = batch_breaker()

        breaker.hear(Verdict(Outcome.FAILED, "CODE", trouble=trouble, detail="Words."))

        assert (breaker.trouble, breaker.words) == (trouble, "CODE Words.")

    @pytest.mark.parametrize("trouble", [Trouble.NONE, Trouble.PLATFORM, Trouble.PROJECT_QUOTA])
    def test_what_others_need_not_share_stops_nothing(self, trouble: Trouble) -> None:
        breaker = batch_breaker()
        for _ in range(500):
            breaker.hear(Verdict(Outcome.PENDING, "CODE", trouble=trouble))

        assert breaker.trouble is Trouble.NONE

    def test_many_mismatches_trip_it_and_a_few_do_not(self) -> None:
        breaker = batch_breaker()
        for _ in range(30):
            breaker.hear_success()
            breaker.hear(MISMATCH)
            breaker.hear(GONE)
        few = breaker.trouble
        for _ in range(30):
            breaker.hear(MISMATCH)

        assert (few, breaker.trouble) == (Trouble.NONE, Trouble.MISMATCH)

    def test_the_first_trouble_stays(self) -> None:
        breaker = batch_breaker()
        breaker.hear(Verdict(Outcome.PENDING, "A", trouble=Trouble.PROJECT))
        breaker.hear(Verdict(Outcome.FAILED, "B", trouble=Trouble.PAYLOAD))

        assert (breaker.trouble, breaker.words) == (Trouble.PROJECT, "A")
