"""One engine for all scenarios of the session; each finds it mended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtests.crash.scale import SHORT
from loadtests.crash.system import System, running_system
from scripts.embedded import running_servers


@pytest.fixture(scope="session")
def _system(open_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("crash")
    with (
        running_servers("crash", environ={}, data_root=open_folder) as servers,
        running_system(SHORT, servers=servers, folder=folder) as system,
    ):
        yield system


@pytest.fixture
def system(_system: System) -> System:
    """The whole engine, running, with an emulator that has forgotten everything."""
    _system.mend()
    return _system
