from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loadtests.benchmarks.engine.processors import Kind
from loadtests.simulation.__main__ import main
from loadtests.simulation.calibration import UncalibratedError, read_runs
from loadtests.simulation.model import forecast

MICROS = {
    Kind.SENDING: 60.0,
    Kind.WORKER_MAIN: 4.0,
    Kind.EMULATOR: 20.0,
    Kind.POSTGRES: 10.0,
    Kind.REDIS: 2.0,
    Kind.WEB: 2.0,
    Kind.BEAT: 1.0,
    Kind.BENCHMARK: 1.0,
}
"""100 in all: 20,000 messages a second on two cores."""


def spread(value: float) -> dict[str, float]:
    return {"median": value}


def write(folder: Path, name: str, rates: dict[str, float], **options: Any) -> None:
    sizes = {"100k": 100_000, "1M": 1_000_000}
    figures = {
        case: {
            "messages": spread(sizes.get(case, 1_000_000)),
            "messages_per_s": spread(rate),
            # The small audience costs more: it is not what the model is calibrated by.
            **{
                f"cpu_us, {kind}": spread(value * (2 if case == "100k" else 1))
                for kind, value in MICROS.items()
            },
        }
        for case, rate in rates.items()
    }
    results = {
        "benchmark": name,
        "machine": {"cores": 2},
        "options": {"workers": 4, **options},
        "figures": {"machine": {"busy": spread(0.0)}, **figures},
    }
    (folder / f"{name}.json").write_text(json.dumps(results))


def test_each_kind_of_process_has_its_cost_of_the_largest_run(tmp_path: Path) -> None:
    write(tmp_path, "scale", {"100k": 15_000, "1M": 19_500})
    costs = read_runs(tmp_path)[0].fleet.costs
    assert costs.send_cpu == pytest.approx(0.030)
    assert (costs.message_cpu, costs.database_cpu) == pytest.approx((0.002, 0.005))
    assert (costs.broker_cpu, costs.emulator_cpu) == pytest.approx((0.001, 0.010))
    assert costs.aside_cpu == pytest.approx(0.002)


def test_the_model_calibrated_by_a_run_says_its_rate(tmp_path: Path) -> None:
    write(tmp_path, "scale", {"1M": 19_500})
    (run,) = read_runs(tmp_path)
    assert (run.name, run.fleet.devices, run.fleet.cores) == ("scale, 1M", 1_000_000, 2)
    assert forecast(run.fleet).messages_per_s == pytest.approx(19_500, rel=0.05)


def test_runs_at_the_quota_are_held_against_it(tmp_path: Path) -> None:
    write(tmp_path, "scale", {"1M": 19_500})
    write(tmp_path, "quota", {"one project": 9_800, "two projects": 18_000}, quota=600_000)
    _, one, two = read_runs(tmp_path)
    assert (one.fleet.projects, two.fleet.projects) == (1, 2)
    assert one.fleet.quota_per_minute == two.fleet.quota_per_minute == 600_000
    assert forecast(one.fleet).messages_per_s == pytest.approx(9_800, rel=0.05)


def test_the_plan_costs_what_settle_measured(tmp_path: Path) -> None:
    write(tmp_path, "scale", {"1M": 19_500})
    measured = {"the ledger": {"cpu_us, PostgreSQL, planning": spread(2.0)}}
    (tmp_path / "settle.json").write_text(json.dumps({"figures": measured}))
    assert read_runs(tmp_path)[0].fleet.costs.plan_cpu == pytest.approx(0.001)


def test_a_whole_job_is_enough_and_bare_transports_are_none(tmp_path: Path) -> None:
    write(tmp_path, "job", {"whole job": 19_500})
    results = json.loads((tmp_path / "job.json").read_text())
    results["figures"]["bare transport"] = {"messages": spread(9_000_000)}
    (tmp_path / "job.json").write_text(json.dumps(results))
    assert [run.name for run in read_runs(tmp_path)] == ["job, whole job"]


@pytest.mark.parametrize("content", ["", "[]", '{"figures": {"1M": {"cpu_us, PostgreSQL": 1}}}'])
def test_a_file_that_bench_did_not_write_is_told(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scale.json").write_text(content)
    assert main(["--results", str(tmp_path)]) == 1
    assert str(tmp_path) in capsys.readouterr().err


@pytest.mark.parametrize(("rate", "status"), [(19_500.0, 0), (16_000.0, 1)])
def test_a_check_fails_where_the_model_is_off_by_more_than_15_percent(
    tmp_path: Path, rate: float, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "scale", {"1M": rate})
    assert main(["--check", "--results", str(tmp_path)]) == status
    assert capsys.readouterr().out.endswith(", OFF)\n") == bool(status)
    assert main(["--check", "--json", "--results", str(tmp_path)]) == status
    (said,) = json.loads(capsys.readouterr().out)
    assert (said["run"], said["measured"]) == ("scale, 1M", rate)


def test_without_results_it_says_what_to_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UncalibratedError):
        read_runs(tmp_path)
    assert main(["--results", str(tmp_path)]) == 1
    assert "run scripts/bench scale" in capsys.readouterr().err
