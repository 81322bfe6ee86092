from __future__ import annotations

import pytest

from scripts.demo_run.options import Options, parse


def test_without_options_it_is_fcms_own_quota_and_some_dead_devices() -> None:
    options = parse([])
    assert (options.devices, options.quota, options.latency_ms) == (100_000, 600_000, 20.0)
    assert options.outcomes == {"unregistered": 0.02}
    assert not options.serve
    assert not options.json


def test_all_options_are_read() -> None:
    text = "--devices 10,000 --latency-ms 5 --quota 0 --outcomes unregistered=0.1,hang.2=0.01"
    rest = "--workers 3 --projects 2 --seed 7 --serve --port 8080 --json"
    assert parse([*text.split(), *rest.split()]) == Options(
        devices=10_000,
        latency_ms=5.0,
        quota=0,
        outcomes={"unregistered": 0.1, "hang.2": 0.01},
        workers=3,
        projects=2,
        seed=7,
        serve=True,
        port=8080,
        json=True,
    )


def test_no_outcomes_means_that_all_are_accepted() -> None:
    assert parse(["--outcomes", ""]).outcomes == {}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--devices", "many"], "argument --devices: 'many' is no whole number"),
        (["--devices", "-1"], "argument --devices: -1 is not within 0 and 100,000,000"),
        (["--workers", "0"], "argument --workers: 0 is not within 1 and 256"),
        (["--port", "70000"], "argument --port: 70000 is not within 0 and 65,535"),
        (["--latency-ms", "soon"], "argument --latency-ms: 'soon' is no number"),
        (["--outcomes", "dead=0.5"], "argument --outcomes: no such outcome: 'dead'"),
        (["--outcomes", "hang=2"], "the shares in outcomes lie between 0 and 1"),
        (["--fast"], "unrecognized arguments: --fast"),
    ],
)
def test_a_wrong_option_is_told_in_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        parse(arguments)
    assert exit_.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
