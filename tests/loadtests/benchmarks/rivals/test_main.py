"""`scripts/bench rivals`: who is missing is named."""

from __future__ import annotations

import pytest

from loadtests.benchmarks.benchmark import BenchmarkFailedError, Case
from loadtests.benchmarks.rivals.__main__ import parse, run, those_at_hand
from loadtests.benchmarks.rivals.catalogue import RIVALS
from loadtests.benchmarks.rivals.comparison import OURS

FAILS = ("-c", "import sys; sys.exit('it hangs')")


def test_a_rival_that_fails_is_named_and_the_others_go_on() -> None:
    failures: dict[str, str] = {}

    figures = run(Case(name="a rival", command=FAILS, limit_s=20), failures)

    assert figures == {}
    assert list(failures) == ["a rival"]
    assert failures["a rival"].endswith("it hangs")


def test_a_measurement_of_our_own_that_fails_ends_the_comparison() -> None:
    failures: dict[str, str] = {}

    with pytest.raises(BenchmarkFailedError, match="it hangs"):
        run(Case(name="Pushcore", command=(*FAILS, OURS), limit_s=20), failures)

    assert failures == {}


def test_all_that_cannot_be_had_are_skipped_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    skipped: dict[str, str] = {}

    assert those_at_hand(skipped) == []
    assert list(skipped) == [rival.name for rival in RIVALS]
    assert all(reason.startswith("There is no unshare") for reason in skipped.values())


@pytest.mark.parametrize("size", ["0", "-1", "101", "much"])
def test_an_odd_size_is_refused(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse(["--size", size])

    assert "--size" in capsys.readouterr().err
