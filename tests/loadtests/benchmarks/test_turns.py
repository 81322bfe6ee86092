from __future__ import annotations

import sys
from pathlib import Path

import pytest

from loadtests.benchmarks.benchmark import BenchmarkFailedError, Case, Cell, Plan, Ratio, Turn
from loadtests.benchmarks.turns import MACHINE, flat, run_case, run_turns


def case(name: str, *command: str, limit_s: float = 20.0, turns: int | None = None) -> Case:
    return Case(name=name, command=command, limit_s=limit_s, turns=turns)


class Recorder:
    """Runs cases by writing down their names; each is as fast as its place in the run."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def __call__(self, case: Case) -> dict[str, float]:
        self.ran.append(case.name)
        return {"rate": float(len(self.ran))}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.cpu_percent", lambda **_: 12.0)


def turns_of(plan: Plan, recorder: Recorder, *, runs: int) -> list[Turn]:
    return list(run_turns(plan, runs=runs, tell=lambda _sentence: None, run=recorder))


def test_every_second_turn_goes_backwards() -> None:
    recorder = Recorder()
    turns_of(Plan(cases=[case("a"), case("b"), case("c")], shown=()), recorder, runs=3)
    assert recorder.ran == ["a", "b", "c", "c", "b", "a", "a", "b", "c"]


def test_a_case_of_some_turns_is_left_out_of_the_later_ones() -> None:
    plan = Plan(cases=[case("small"), case("large", turns=1)], shown=())
    turns = turns_of(plan, Recorder(), runs=2)
    assert [set(turn) - {MACHINE, "ratios"} for turn in turns] == [{"small", "large"}, {"small"}]


def test_ratios_are_of_one_turn_where_it_has_both_sides() -> None:
    ratio = Ratio("b by a", Cell("b", "rate"), Cell("a", "rate"))
    plan = Plan(cases=[case("a"), case("b", turns=2)], shown=(), ratios=[ratio])
    turns = turns_of(plan, Recorder(), runs=3)
    # a, b are the 1st and 2nd to run, then b, a the 3rd and 4th, then a alone.
    assert [turn["ratios"] for turn in turns] == [{"b by a": 2.0}, {"b by a": 0.75}, {}]


def test_each_turn_is_told_with_how_busy_the_machine_was_before() -> None:
    (turn,) = turns_of(Plan(cases=[case("a")], shown=()), Recorder(), runs=1)
    assert turn[MACHINE] == {"processors busy with other work, %": 12.0}


def test_figures_are_the_numbers_of_the_last_line() -> None:
    code = 'print(\'warming up\'); print(\'{"rate": 2, "name": "x", "ok": true}\')'
    assert run_case(case("a", "-c", code)) == {"rate": 2.0}


def test_numbers_of_inner_objects_are_named_after_both() -> None:
    assert flat({"cpu": {"Valkey": 1.5, "web": {"idle": 2}}, "n": 3}) == {
        "cpu, Valkey": 1.5,
        "cpu, web, idle": 2.0,
        "n": 3.0,
    }


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; sys.exit('no room')", "no room"),
        ("pass", "without a word"),
        ("import sys; print('half'); sys.exit(1)", "half"),
    ],
)
def test_a_program_that_fails_is_quoted(code: str, said: str) -> None:
    with pytest.raises(BenchmarkFailedError, match=f"^slow: .*{said}$"):
        run_case(case("slow", "-c", code))


def test_a_program_past_its_limit_is_told_to_leave(tmp_path: Path) -> None:
    left = tmp_path / "left"
    code = (
        "import pathlib, signal, sys, time\n"
        f"def leave(*_): pathlib.Path({str(left)!r}).touch(); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, leave)\n"
        "time.sleep(60)\n"
    )
    with pytest.raises(BenchmarkFailedError, match="slow: did not end within 1 s"):
        run_case(case("slow", "-c", code, limit_s=1.0))
    assert left.exists()


def test_programs_run_with_this_python() -> None:
    code = "import sys, json; print(json.dumps({'same': int(sys.executable == sys.argv[1])}))"
    assert run_case(case("a", "-c", code, sys.executable)) == {"same": 1.0}
