from __future__ import annotations

import pytest

from loadtests.load.options import parse


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--seconds", "1"], "--seconds: must be within 5 and 600"),
        (["--users", "0"], "--users: must be within 1 and 1,000"),
        (["--shape", "flat"], "invalid choice: 'flat'"),
    ],
)
def test_a_load_without_bounds_is_refused(
    words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse(words)
    assert reason in capsys.readouterr().err
