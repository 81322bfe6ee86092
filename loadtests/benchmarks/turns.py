"""Run a benchmark's cases in turns, there and back, so that none always has the warm machine."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from loadtests.benchmarks.benchmark import RATIOS, BenchmarkFailedError, Case, Plan, Turn, ratios_of

ROOT = Path(__file__).resolve().parents[2]
LEAVE_WITHIN_S = 30.0
"""What a program gets to stop its servers, before it is killed."""
BUSY = "processors busy with other work, %"
"""Looked at before every turn: rates are worth what the machine was."""
MACHINE = "machine"
"""The case under which that stands."""


def run_turns(
    plan: Plan, *, runs: int, tell: Callable[[str], None], run: Callable[[Case], dict[str, float]]
) -> Iterator[Turn]:
    """Yield each turn as it is complete.

    Raises:
        BenchmarkFailedError: a program failed, or did not end within its limit.
    """
    for number in range(1, runs + 1):
        cases = [case for case in plan.cases if case.turns is None or number <= case.turns]
        turn: Turn = {MACHINE: {BUSY: psutil.cpu_percent(interval=1.0)}}
        for case in order_of(cases, number=number):
            tell(f"Turn {number} of {runs}: {case.name}")
            turn[case.name] = run(case)
        turn[RATIOS] = ratios_of(turn, plan.ratios)
        yield turn


def order_of(cases: Sequence[Case], *, number: int) -> list[Case]:
    """Return the cases in the order of a turn: every second one goes backwards."""
    return list(cases) if number % 2 else list(reversed(cases))


def run_case(case: Case) -> dict[str, float]:
    """Run a case's program, and return the figures of its last line."""
    command = [sys.executable, *case.command]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            output, errors = process.communicate(timeout=case.limit_s)
        except subprocess.TimeoutExpired:
            _end(process)
            message = f"{case.name}: did not end within {case.limit_s:,.0f} s"
            raise BenchmarkFailedError(message) from None
        except BaseException:
            _end(process)
            raise
    lines = output.strip().splitlines()
    if process.returncode != 0 or not lines:
        said = (errors.strip() or output.strip() or "without a word").splitlines()[-1]
        message = f"{case.name}: {' '.join(case.command)} failed: {said}"
        raise BenchmarkFailedError(message)
    return flat(json.loads(lines[-1]))


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=LEAVE_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()


def flat(figures: dict[str, Any]) -> dict[str, float]:
    """Return the numbers of a JSON object; those of objects in it by `outer, inner`."""
    found: dict[str, float] = {}
    for name, value in figures.items():
        if isinstance(value, dict):
            found |= {f"{name}, {inner}": number for inner, number in flat(value).items()}
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = float(value)
    return found
