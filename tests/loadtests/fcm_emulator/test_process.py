"""The emulator as a process: how it starts, refuses to start, and ends."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from loadtests.fcm_emulator.process import EmulatorStartError, launch, start

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("wire", ["granian", "h2"])
def test_a_port_in_use_is_told_in_one_sentence(wire: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(EmulatorStartError) as caught:
            start("--plain", "--wire", wire, "--port", str(port))

    assert str(caught.value) == f"Port {port} on 127.0.0.1 is not free (Address already in use)."


@pytest.mark.parametrize("wire", ["granian", "h2"])
def test_two_emulators_never_share_a_port(wire: str) -> None:
    with launch("--plain", "--wire", wire) as first:
        port = first.url.rsplit(":", 1)[1]

        with pytest.raises(EmulatorStartError, match=f"Port {port} on 127.0.0.1 is not free"):
            start("--plain", "--wire", wire, "--port", port)


def test_what_it_cannot_start_with_ends_it_with_status_2() -> None:
    for wrong in (["--outcomes", "lost=0.5"], ["--latency-p99-ms", "1"], []):
        command = [sys.executable, "-m", "loadtests.fcm_emulator", *wrong]
        if wrong:
            command.append("--plain")
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

        assert done.returncode == 2
        assert done.stderr.strip()
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("wire", ["granian", "h2"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_at_once_when_told_to(wire: str, number: int) -> None:
    with launch("--plain", "--wire", wire) as emulator:
        emulator.process.send_signal(number)

        assert emulator.process.wait(timeout=3) == 0


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a process of its parent's end"
)
def test_ends_with_its_parent() -> None:
    code = (
        "import os, signal\n"
        "from loadtests.fcm_emulator.process import start\n"
        "print(start('--plain').process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    parent = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    emulator = int(parent.stdout)

    # A pidfd becomes readable when its process has ended.
    try:
        descriptor = os.pidfd_open(emulator)
    except ProcessLookupError:
        return
    assert select.select([descriptor], [], [], 5)[0]
    os.close(descriptor)


def test_writes_where_it_is_to_the_ready_file(tmp_path: Path) -> None:
    with launch("--plain", "--ready-file", tmp_path / "ready.json") as emulator:
        ready = json.loads((tmp_path / "ready.json").read_text())

    assert ready == {
        "url": emulator.url,
        "control_url": emulator.control_url,
        "ca_file": None,
    }


def test_keys_are_for_their_owner_only_and_used_again(tmp_path: Path) -> None:
    arguments = ("--tls-dir", tmp_path / "tls", "--service-account-file", tmp_path / "sa.json",
        "--project-id", "demo")  # fmt: skip
    with launch(*arguments) as first:
        ca = first.ca_file.read_bytes() if first.ca_file else b""
        account = json.loads((tmp_path / "sa.json").read_text())
        first_uri = first.token_uri
    with launch(*arguments) as second:
        renewed = json.loads((tmp_path / "sa.json").read_text())
        second_ca = second.ca_file.read_bytes() if second.ca_file else b""

    assert second_ca == ca
    assert account["token_uri"] == first_uri
    assert renewed["private_key"] == account["private_key"]
    assert renewed["token_uri"] == second.token_uri
    for file in (tmp_path / "tls" / "server.key", tmp_path / "sa.json"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
