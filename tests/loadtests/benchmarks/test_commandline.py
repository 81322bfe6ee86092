from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtests.benchmarks import __main__ as commandline
from loadtests.benchmarks.benchmark import BenchmarkFailedError, Case

RATES = {"whole job": 15_000.0, "bare transport": 20_000.0, "firebase-admin send_each": 1_000.0}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.cpu_percent", lambda **_: 12.0)


def measured(case: Case) -> dict[str, float]:
    return {"messages_per_s": RATES[case.name]}


def test_figures_are_on_the_last_line_and_beside_table_and_charts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commandline, "run_case", measured)
    assert commandline.main(["--runs", "2", "--json", "--output", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    figures = json.loads(captured.out)
    assert figures == json.loads((tmp_path / "job.json").read_text())
    assert figures["figures"]["ratios"]["share of the bare transport"]["runs"] == [0.75, 0.75]
    assert "met: share of the bare transport ≥ 0.70: 0.75" in captured.err
    assert "MISSED: whole job, messages/s ≥ 20,000: 15,000" in captured.err
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "job-rates.svg",
        "job.json",
        "job.md",
    ]


def test_what_was_measured_before_a_failure_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []

    def fails_in_the_second_turn(case: Case) -> dict[str, float]:
        ran.append(case.name)
        if len(ran) > len(RATES):
            message = f"{case.name}: the disk is full"
            raise BenchmarkFailedError(message)
        return measured(case)

    monkeypatch.setattr(commandline, "run_case", fails_in_the_second_turn)
    assert commandline.main(["job", "--output", str(tmp_path)]) == 1
    assert "the disk is full" in capsys.readouterr().err
    assert json.loads((tmp_path / "job.json").read_text())["turns"] == 1


def test_a_folder_that_cannot_be_is_told_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[Case] = []
    monkeypatch.setattr(commandline, "run_case", ran.append)
    (tmp_path / "file").touch()
    assert commandline.main(["job", "--output", str(tmp_path / "file")]) == 1
    assert str(tmp_path / "file") in capsys.readouterr().err
    assert ran == []


def failing(*, may_fail: bool) -> Case:
    command = ("-c", "import sys; sys.exit('it hangs')")
    return Case(name="a rival", command=command, limit_s=20, may_fail=may_fail)


def test_what_may_fail_is_named_and_the_others_go_on() -> None:
    failed: dict[str, str] = {}
    assert commandline.run(failing(may_fail=True), failed=failed) == {}
    assert list(failed) == ["a rival"]
    assert failed["a rival"].endswith("it hangs")


def test_what_may_not_fail_ends_the_benchmark() -> None:
    failed: dict[str, str] = {}
    with pytest.raises(BenchmarkFailedError, match="it hangs"):
        commandline.run(failing(may_fail=False), failed=failed)
    assert failed == {}
