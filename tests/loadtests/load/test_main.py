from __future__ import annotations

import os
from pathlib import Path

import pytest

from loadtests.load import __main__ as program
from scripts.demo_run.guards import alone


def test_a_second_run_is_refused_and_nobodys_own_servers_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "profile_folder", lambda *_, **__: tmp_path)
    monkeypatch.setattr(program, "leave_in_order_when_told", lambda: None)
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.setenv(name, "somebody's")
    with alone(tmp_path):
        assert program.main([]) == 1
    assert "Another scripts/loadtest runs on this database" in capsys.readouterr().err
    assert not {"DATABASE_URL", "REDIS_URL"} & os.environ.keys()
