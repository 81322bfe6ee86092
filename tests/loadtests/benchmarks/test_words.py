from __future__ import annotations

import pytest

from loadtests.benchmarks.words import without_unit, words_of


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        ("elapsed_s", "launch to completed, s"),
        ("cpu_us, PostgreSQL", "processor time a message, µs, PostgreSQL"),
        ("messages_per_s, Pushcore by fcm-django ×4", "messages/s, Pushcore by fcm-django ×4"),
        ("beside bulk, first p99 ms", "beside bulk, first p99 ms"),
    ],
)
def test_figures_have_words_and_what_has_none_stays(figure: str, words: str) -> None:
    assert words_of(figure) == words


def test_a_chart_says_the_unit_once() -> None:
    assert without_unit("bare_copy_rows_per_s") == "bare COPY"
    assert without_unit("messages_per_s") == "messages/s"
