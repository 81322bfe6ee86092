"""What a measurement comes to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadtests.benchmarks.rivals.figures import InexactError, Outcome, account, rates

EXACT = Outcome(messages=1_000, told_succeeded=1_000, accepted=1_000, accepted_twice=0)


def test_rates_are_per_second_and_per_second_of_processor_time() -> None:
    assert rates(EXACT, elapsed_s=2.0, cpu_s=4.0, peak_mb=61.26) == {
        "messages": 1_000,
        "elapsed_s": 2.0,
        "messages_per_s": 500.0,
        "messages_per_cpu_s": 250.0,
        "peak_rss_mb": 61.3,
    }


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (replace(EXACT, accepted=999), "999 were accepted"),
        (replace(EXACT, accepted_twice=1), "1 twice"),
        (replace(EXACT, told_succeeded=998), "998 called sent"),
    ],
)
def test_what_did_not_send_everything_once_has_no_rate(outcome: Outcome, words: str) -> None:
    with pytest.raises(InexactError, match=words):
        rates(outcome, elapsed_s=2.0, cpu_s=4.0, peak_mb=1.0)


def test_a_library_that_repeats_is_charged_with_what_arrived_twice() -> None:
    figures = account(replace(EXACT, accepted_twice=48))

    assert figures == {
        "messages": 1_000,
        "accepted_twice_pct": 4.8,
        "lost_pct": 0.0,
        "accepted_but_called_failed_pct": 0.0,
        "called_unknown_pct": 0.0,
    }


def test_a_library_that_gives_up_is_charged_with_what_it_calls_failed() -> None:
    figures = account(replace(EXACT, told_succeeded=940, accepted=990))

    assert figures["lost_pct"] == 1.0
    assert figures["accepted_but_called_failed_pct"] == 5.0


def test_what_is_called_unknown_is_not_called_failed() -> None:
    figures = account(replace(EXACT, told_succeeded=950, told_unknown=50))

    assert figures["called_unknown_pct"] == 5.0
    assert figures["accepted_but_called_failed_pct"] == 0.0
