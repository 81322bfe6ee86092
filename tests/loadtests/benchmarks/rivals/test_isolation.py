"""The place with no way out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from loadtests.benchmarks.rivals.isolation import NoIsolationError, shut_in, way_in

INSIDE = """
import json, socket, sys
from pathlib import Path
from loadtests.benchmarks.rivals.isolation import shut_in
shut_in(Path(sys.argv[1]))
def reach(host):
    try:
        socket.create_connection((host, 443), timeout=2).close()
    except OSError as exc:
        return type(exc).__name__
    return "reached"
found = {entry[4][0] for entry in socket.getaddrinfo("fcm.googleapis.com", 443)}
print(json.dumps([sorted(found), reach("fcm.googleapis.com"), reach("192.0.2.1")]))
"""


def test_googles_names_lead_to_loopback_and_nowhere_else_can_be_reached(tmp_path: Path) -> None:
    try:
        way = way_in()
    except NoIsolationError as reason:
        pytest.skip(str(reason))

    done = subprocess.run(
        [*way, sys.executable, "-c", INSIDE, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )

    found, google, elsewhere = json.loads(done.stdout)
    assert found == ["127.0.0.1"]
    assert google == "ConnectionRefusedError"  # loopback is up, and nobody listens
    assert elsewhere == "OSError"  # network unreachable


def test_the_machines_own_names_are_left_alone(tmp_path: Path) -> None:
    hosts = Path("/etc/hosts").read_text()

    with pytest.raises(NoIsolationError, match="no network namespace of its own"):
        shut_in(tmp_path)

    assert Path("/etc/hosts").read_text() == hosts


def test_a_machine_without_unshare_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(NoIsolationError, match="There is no unshare"):
        way_in()
