"""`scripts/bench rivals`: who is missing is named."""

from __future__ import annotations

import pytest

from loadtests.benchmarks.__main__ import parse
from loadtests.benchmarks.rivals.catalogue import RIVALS
from loadtests.benchmarks.subjects.rivals import BENCHMARK


def test_all_that_cannot_be_had_are_skipped_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    plan = BENCHMARK.plan(parse(["rivals"]))

    assert list(plan.skipped) == [rival.name for rival in RIVALS]
    assert all(reason.startswith("There is no unshare") for reason in plan.skipped.values())
    assert [case.name for case in plan.cases] == [
        "Pushcore, the whole job",
        "Pushcore, its transport alone",
        "Pushcore, at_least_once",
        "Pushcore, at_most_once",
    ]


@pytest.mark.parametrize("size", ["0", "-1", "101", "much", "nan"])
def test_an_odd_size_is_refused(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse(["rivals", "--size", size])

    assert "--size" in capsys.readouterr().err
