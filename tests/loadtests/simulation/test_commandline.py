from __future__ import annotations

import json

import pytest

from loadtests.simulation.__main__ import main


def test_a_fleet_is_told_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--devices", "1M", "--projects", "2", "--database-cores", "2"]) == 0
    said = capsys.readouterr().out
    assert "1M" in said
    assert "Held up by quota: what helps is more FCM projects" in said


def test_a_fleet_is_told_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--devices", "1M", "--json"]) == 0
    (said,) = json.loads(capsys.readouterr().out)
    assert (said["fleet"]["devices"], said["bottleneck"]) == (1_000_000, "quota")
    assert said["seconds"] == pytest.approx(102, rel=0.01)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--devices", "0"], "0 is not within 1 and 100,000,000,000"),
        (["--machines", "0"], "0 is not within 1 and 1,000"),
        (["--brokers", "-1"], "-1 is not within 1 and 1,000"),
        (["--cores", "two"], "'two' is no whole number"),
        (["--processes", "1000000"], "1000000 is not within 1 and 1,000"),
        (["--grid", "--check"], "not allowed with"),
    ],
)
def test_a_wrong_option_is_told(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert said in capsys.readouterr().err
