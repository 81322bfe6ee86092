from __future__ import annotations

from pathlib import Path

import pytest

from loadtests.crash.scale import SHORT
from loadtests.crash.scenarios.disk import full_disk, small_disk
from loadtests.crash.system import running_system
from scripts.embedded import running_servers

pytestmark = pytest.mark.scenario


def test_a_full_disk_pauses_the_sending_and_loses_nothing(
    open_folder: Path, tmp_path: Path
) -> None:
    disk = open_folder / "disk"
    try:
        with (
            small_disk(disk, megabytes=400),
            running_servers("disk", environ={}, data_root=open_folder) as servers,
            running_system(SHORT, servers=servers, folder=tmp_path) as system,
        ):
            violations = full_disk(system, disk).violations
    except PermissionError as refusal:
        pytest.skip(f"this process may not mount a small disk: {refusal}")
    assert violations == []
