"""The model's costs out of what `scripts/bench` measured on a machine, and the runs beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from loadtests.simulation.costs import BATCH, MEASURED, Costs
from loadtests.simulation.model import Fleet

Figures = Mapping[str, Mapping[str, Any]]
"""Figure → its spread, as in the JSON."""


class UncalibratedError(Exception):
    """There is nothing to calibrate the model by; the message says what to run."""


@dataclass(frozen=True, slots=True)
class Run:
    """A measured run, and the fleet that it ran on."""

    name: str
    fleet: Fleet
    messages_per_s: float


def read_runs(folder: Path) -> list[Run]:
    """Return the runs of `scale.json` and, where it is there, `quota.json`.

    All have the costs of the largest audience: what starting up costs counts least there.

    Raises:
        UncalibratedError: `scale.json` is not there.
    """
    scale = _load(folder / "scale.json")
    if scale is None:
        message = f"There is no scale.json in {folder}: run scripts/bench scale."
        raise UncalibratedError(message)
    largest = max(_cases(scale), key=lambda case: _median(case[1], "messages"))
    costs = costs_of(largest[1])
    runs = list(_runs(scale, costs, quota=0))
    quota = _load(folder / "quota.json")
    if quota is not None:
        runs += _runs(quota, costs, quota=quota["options"]["quota"])
    return runs


def costs_of(figures: Figures) -> Costs:
    """Return a batch's costs by the processor time of each kind of process."""

    def seconds(kind: str) -> float:
        return _median(figures, f"cpu_us, {kind}") * BATCH * 1e-6

    sending = seconds("sending processes")
    return replace(
        MEASURED,
        send_cpu=max(0.0, sending - MEASURED.settle_cpu),
        settle_cpu=min(sending, MEASURED.settle_cpu),
        message_cpu=seconds("Celery's main process"),
        database_cpu=seconds("PostgreSQL"),
        broker_cpu=seconds("Valkey"),
        emulator_cpu=seconds("emulator"),
        aside_cpu=sum(map(seconds, ("web server", "beat", "the benchmark itself"))),
    )


def _runs(results: Mapping[str, Any], costs: Costs, *, quota: int) -> Iterator[Run]:
    for name, figures in _cases(results):
        projects = 2 if name == "two projects" else 1
        fleet = Fleet(
            devices=int(_median(figures, "messages")),
            projects=projects,
            cores=results["machine"]["cores"],
            processes=results["options"]["workers"],
            quota_per_minute=quota,
            costs=costs,
        )
        label = f"{results['benchmark']}, {name}"
        yield Run(label, fleet, _median(figures, "messages_per_s"))


def _cases(results: Mapping[str, Any]) -> list[tuple[str, Figures]]:
    """Return the cases in which messages were sent."""
    return [(name, one) for name, one in results["figures"].items() if "messages" in one]


def _median(figures: Figures, figure: str) -> float:
    return float(figures[figure]["median"])


def _load(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
