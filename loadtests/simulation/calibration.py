"""The model's costs out of what `scripts/bench` measured on a machine, and the runs beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from loadtests.simulation.costs import MEASURED as MEASURED_COSTS
from loadtests.simulation.costs import MICROS, Costs
from loadtests.simulation.model import Fleet

MEASURED_RUNS = "job", "scale", "quota"
"""What `scripts/bench` writes about whole jobs; the quota's are dearer, as most wake-ups find few
messages that may go, so costs are not taken from them."""
Figures = Mapping[str, Mapping[str, Any]]
"""Figure → its spread, as in the JSON."""


class UncalibratedError(Exception):
    """There is nothing to calibrate the model by; the message says what to run, or what is odd."""


@dataclass(frozen=True, slots=True)
class Run:
    """A measured run, and the fleet that it ran on."""

    name: str
    fleet: Fleet
    messages_per_s: float


MEASURED = (
    Run("1M, no quota, all on 2 cores", Fleet(devices=1_000_000, quota_per_minute=0), 30_023.0),
    Run("1M, quota 600,000, all on 2 cores", Fleet(devices=1_000_000), 9_796.0),
    Run("1M, two projects, all on 2 cores", Fleet(devices=1_000_000, projects=2), 19_137.0),
)
"""The runs of docs/performance.md."""


def read_runs(folder: Path) -> list[Run]:
    """Return the whole jobs in what `scripts/bench` wrote into a folder.

    All have the costs of the largest audience: what starting up costs counts least there.

    Raises:
        UncalibratedError: there is none without a quota, or a file is not what `bench` writes.
    """
    written = {name: _load(folder / f"{name}.json") for name in (*MEASURED_RUNS, "settle")}
    try:
        unbounded = [*_jobs(written["job"]), *_jobs(written["scale"])]
        if not unbounded:
            message = f"There is no scale.json or job.json in {folder}: run scripts/bench scale."
            raise UncalibratedError(message)
        largest = max(unbounded, key=lambda job: _median(job[1], "messages"))
        costs = costs_of(largest[1], settle=written["settle"])
        return [run for name in MEASURED_RUNS for run in _runs(written[name], costs)]
    except (KeyError, TypeError) as exc:
        message = f"What lies in {folder} is not of this scripts/bench: {exc!r} is not there."
        raise UncalibratedError(message) from exc


def costs_of(figures: Figures, *, settle: Mapping[str, Any] | None = None) -> Costs:
    """Return a batch's costs by the processor time of each kind of process."""

    def seconds(kind: str) -> float:
        return _median(figures, f"cpu_us, {kind}") * MICROS

    aside = sum(map(seconds, ("web server", "beat", "the benchmark itself")))
    if "cpu_us, kernel and other programs" in figures:
        aside += seconds("kernel and other programs")
    costs = replace(
        MEASURED_COSTS,
        send_cpu=seconds("sending processes"),
        message_cpu=seconds("Celery's main process"),
        database_cpu=seconds("PostgreSQL"),
        broker_cpu=seconds("Valkey"),
        emulator_cpu=seconds("emulator"),
        aside_cpu=aside,
    )
    if settle is None:
        return costs
    planning = _median(settle["figures"]["the ledger"], "cpu_us, PostgreSQL, planning")
    return replace(costs, plan_cpu=planning * MICROS)


def _runs(results: Mapping[str, Any] | None, costs: Costs) -> Iterator[Run]:
    for name, figures in _jobs(results):
        assert results is not None  # noqa: S101  for the type checker: it has jobs
        fleet = Fleet(
            devices=int(_median(figures, "messages")),
            projects=2 if name == "two projects" else 1,
            cores=results["machine"]["cores"],
            processes=results["options"]["workers"],
            quota_per_minute=results["options"].get("quota", 0),
            costs=costs,
        )
        label = f"{results['benchmark']}, {name}"
        yield Run(label, fleet, _median(figures, "messages_per_s"))


def _jobs(results: Mapping[str, Any] | None) -> list[tuple[str, Figures]]:
    """Return the cases that were whole jobs: of bare transports nobody asked PostgreSQL's cost."""
    if results is None:
        return []
    figures: Mapping[str, Figures] = results["figures"]
    return [(name, one) for name, one in figures.items() if "cpu_us, PostgreSQL" in one]


def _median(figures: Figures, figure: str) -> float:
    return float(figures[figure]["median"])


def _load(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        message = f"{path} is no JSON: {exc}"
        raise UncalibratedError(message) from exc
    if not isinstance(found, dict):
        message = f"{path} is not of scripts/bench."
        raise UncalibratedError(message)
    return found
