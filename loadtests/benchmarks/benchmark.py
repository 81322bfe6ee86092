"""What a benchmark is: programs that are run in turns, and what is made of their figures.

A case is one program; a turn runs every case once. A cell is a case's figure. Ratios are taken
within a turn, so that a machine that is slower for a while is slower for both sides of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loadtests.benchmarks.results import Results

Turn = dict[str, dict[str, float]]
"""Case → figure → value."""
RATIOS = "ratios"
"""The case under which a turn's ratios stand."""


class BenchmarkFailedError(Exception):
    """One of the measured programs failed; the message is what it said last."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A case's figure."""

    case: str
    figure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A program that measures: what follows `python`; its last line is a JSON object."""

    name: str
    command: tuple[str, ...]
    limit_s: float
    """It is ended after so many seconds: a benchmark has an end."""
    turns: int | None = None
    """It takes part in the first so many turns; None: in all."""
    may_fail: bool = False
    """Then it is named with the reason and the others go on; else a failure ends the benchmark."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """One cell by another, in the same turn."""

    name: str
    of: Cell
    to: Cell

    @property
    def cell(self) -> Cell:
        """Where it stands among a turn's figures."""
        return Cell(RATIOS, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What the median of a cell is to reach; one of the two bounds is set."""

    words: str
    cell: Cell
    least: float | None = None
    most: float | None = None

    def is_met_by(self, median: float) -> bool:
        """Return whether a median reaches it."""
        return (self.least is None or median >= self.least) and (
            self.most is None or median <= self.most
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Bars of one unit: each of one cell, or of several stacked."""

    name: str
    """Of its file, without the ending."""
    title: str
    unit: str
    bars: tuple[tuple[str, tuple[Cell, ...]], ...]
    """Label → its cells, from left to right."""
    goals: Mapping[str, float] = field(default_factory=dict)
    """Label of a bar → what it is to reach, or not to exceed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A benchmark with its options decided."""

    cases: Sequence[Case]
    shown: Sequence[str]
    """The figures of the table, in order; the others stand in the JSON alone."""
    ratios: Sequence[Ratio] = ()
    goals: Sequence[Goal] = ()
    charts: Sequence[Chart] = ()
    tables: Callable[[Results], str] | None = None
    """Returns tables of Markdown of its own, instead of the usual one."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """What this machine cannot measure → the reason, a sentence."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of what is measured beside the engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A subcommand of `scripts/bench`."""

    name: str
    summary: str
    add_options: Callable[[argparse.ArgumentParser], None]
    plan: Callable[[argparse.Namespace], Plan]


def ratios_of(turn: Turn, ratios: Sequence[Ratio]) -> dict[str, float]:
    """Return the ratios of which a turn has both sides."""
    found = {}
    for ratio in ratios:
        top = turn.get(ratio.of.case, {}).get(ratio.of.figure)
        bottom = turn.get(ratio.to.case, {}).get(ratio.to.figure)
        if top is not None and bottom:
            found[ratio.name] = top / bottom
    return found
