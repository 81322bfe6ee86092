"""What is measured in each turn, what is compared with what, and which goals it is held against."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from loadtests.benchmarks.benchmark import Case, Cell, Chart, Goal, Plan, Ratio
from loadtests.benchmarks.engine.job import SLOWEST_PER_S
from loadtests.benchmarks.rivals.catalogue import (
    FCM_V1_HTTP2,
    FIREBASE_ADMIN_NODE,
    SEND_EACH,
    Language,
    Rival,
)
from loadtests.benchmarks.rivals.environments import version_of
from loadtests.benchmarks.rivals.measure import SEND_WITHIN_S
from loadtests.benchmarks.rivals.pushcore import TROUBLE_ENDS_WITHIN_S
from loadtests.benchmarks.rivals.room import READY_WITHIN_S
from loadtests.benchmarks.subjects.options import COPIED_PER_S, START_S

JOB, BARE = "Pushcore, the whole job", "Pushcore, its transport alone"
RATE, PER_CPU, MEMORY = "messages_per_s", "messages_per_cpu_s", "peak_rss_mb"
GUARANTEES = ("at_least_once", "at_most_once")
TROUBLED = 20_000
"""Devices of Pushcore's own campaigns in trouble."""
LEAST_MESSAGES = 100
ALONE_TURNS = 3
"""One process each is beside the point: the first turns are enough, and leave time for the rest."""
OURS, THEIRS = "loadtests.benchmarks.rivals.pushcore", "loadtests.benchmarks.rivals.measure"
_RIVAL_LIMIT_S = READY_WITHIN_S + SEND_WITHIN_S + 30.0
_GOALS = ((SEND_EACH, 15.0), (FIREBASE_ADMIN_NODE, 1.8), (FCM_V1_HTTP2, 1.2))
"""How many times as fast as these the whole job is to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a table: a contestant with so many processes."""

    label: str
    processes: int
    case: Case


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The plan, and the lines of the tables that are made of it."""

    plan: Plan
    lines: Sequence[Line]
    """What sending costs."""
    troubled: Sequence[Line]
    """What becomes of the messages where answers are lost."""


def draw_up(rivals: Sequence[Rival], options: argparse.Namespace, *, cores: int) -> Comparison:
    """Return the comparison with these rivals."""
    theirs = [
        _line(rival, processes, options)
        for rival in rivals
        for processes in processes_of(rival, options.workers, cores)
    ]
    lines = [_job(options), _bare(options), *theirs]
    troubled = [
        *(_our_trouble(guarantee, options) for guarantee in GUARANTEES),
        *(_trouble(rival, options) for rival in rivals),
    ]
    plan = Plan(
        cases=[line.case for line in (*lines, *troubled)],
        shown=(RATE, PER_CPU, MEMORY),
        ratios=[times(line.case.name, figure) for line in theirs for figure in (RATE, PER_CPU)],
        goals=_goals(rivals, options.workers, cores),
        charts=(
            _chart("rates", "messages/s", RATE, lines),
            _chart("per-cpu", "messages per CPU-second", PER_CPU, lines),
        ),
    )
    return Comparison(plan=plan, lines=lines, troubled=troubled)


def times(case: str, figure: str) -> Ratio:
    """Return how many times a case's figure Pushcore's whole job reaches."""
    return Ratio(f"{figure}, Pushcore by {case}", Cell(JOB, figure), Cell(case, figure))


def processes_of(rival: Rival, workers: int, cores: int) -> list[int]:
    """Return with how many processes a rival runs: as many as Pushcore sends with, and with one.

    Node's has one for each core at most, as its own documentation advises.
    """
    most = workers if rival.language is Language.PYTHON else min(workers, cores)
    return [most, 1] if most > 1 else [1]


def _name(rival: Rival, processes: int) -> str:
    return f"{rival.name} ×{processes}"


def _job(options: argparse.Namespace) -> Line:
    most_s = START_S + options.devices / COPIED_PER_S + options.devices / SLOWEST_PER_S
    return _ours(JOB, "job", options, devices=options.devices, limit_s=most_s)


def _bare(options: argparse.Namespace) -> Line:
    return _ours(BARE, "transport", options, devices=options.devices, limit_s=_RIVAL_LIMIT_S)


def _our_trouble(guarantee: str, options: argparse.Namespace) -> Line:
    return _ours(
        f"Pushcore, {guarantee}",
        "trouble",
        options,
        *("--guarantee", guarantee),
        devices=max(1_000, int(TROUBLED * options.size)),
        limit_s=START_S + TROUBLE_ENDS_WITHIN_S,
        turns=1,
    )


def _ours(
    name: str,
    what: str,
    options: argparse.Namespace,
    *extra: str,
    devices: int,
    limit_s: float,
    turns: int | None = None,
) -> Line:
    command = (
        *("-m", OURS, what, "--devices", str(devices), *extra),
        *("--workers", str(options.workers), "--latency-ms", str(options.latency_ms)),
    )
    case = Case(name=name, command=command, limit_s=limit_s, turns=turns)
    return Line(label=name, processes=options.workers, case=case)


def _line(rival: Rival, processes: int, options: argparse.Namespace) -> Line:
    messages = rival.alone if processes == 1 else rival.messages
    case = Case(
        name=_name(rival, processes),
        command=_command(rival, messages, options, processes=processes),
        limit_s=_RIVAL_LIMIT_S,
        turns=ALONE_TURNS if processes == 1 else None,
        may_fail=True,
    )
    label = f"{rival.name} {version_of(rival)}"
    return Line(label=label, processes=processes, case=case)


def _trouble(rival: Rival, options: argparse.Namespace) -> Line:
    # One process: what becomes of a message does not depend on how many there are.
    command = _command(rival, rival.troubled, options, processes=1)
    case = Case(
        name=f"{rival.name}, answers lost",
        command=(*command, "--trouble"),
        limit_s=_RIVAL_LIMIT_S,
        turns=1,
        may_fail=True,
    )
    return Line(label=rival.name, processes=1, case=case)


def _command(
    rival: Rival, messages: int, options: argparse.Namespace, *, processes: int
) -> tuple[str, ...]:
    return (
        *("-m", THEIRS, rival.name, "--processes", str(processes)),
        *("--messages", str(max(LEAST_MESSAGES, int(messages * options.size)))),
        *("--latency-ms", str(options.latency_ms)),
    )


def _goals(rivals: Sequence[Rival], workers: int, cores: int) -> list[Goal]:
    found = []
    for rival, least in _GOALS:
        if rival in rivals:
            name = _name(rival, processes_of(rival, workers, cores)[0])
            words = f"times as fast as {name}"
            found.append(Goal(words=words, cell=times(name, RATE).cell, least=least))
    return found


def _chart(name: str, unit: str, figure: str, lines: Sequence[Line]) -> Chart:
    bars = tuple((line.case.name, (Cell(line.case.name, figure),)) for line in lines)
    return Chart(name=name, title="Beside what one would pick instead", unit=unit, bars=bars)
