from __future__ import annotations

from datetime import timedelta

import pytest

from campaigns.notifications.backoff import MAX_ATTEMPTS, wait_after


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(1, 5), (2, 20), (3, 80), (4, 320), (5, 1_280), (8, 81_920), (9, 86_400), (60, 86_400)],
)
def test_each_wait_is_four_times_as_long_up_to_a_day(attempts: int, seconds: int) -> None:
    assert wait_after(attempts, luck=0) == timedelta(seconds=seconds)


def test_luck_shortens_it_by_half_at_most() -> None:
    assert wait_after(2, luck=1) == timedelta(seconds=10)
    assert wait_after(2, luck=0.5) == timedelta(seconds=15)


def test_all_tries_together_span_more_than_a_day_and_less_than_three() -> None:
    for luck in (0.0, 1.0):
        total = sum((wait_after(n, luck=luck) for n in range(1, MAX_ATTEMPTS)), timedelta())
        assert timedelta(days=1) < total < timedelta(days=3)
