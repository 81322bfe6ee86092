"""An emulator in a process of its own, from start to end."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loadtests.fcm_emulator.control import EmulatorControl

_ROOT = Path(__file__).resolve().parents[2]
_START_WITHIN_S = 20.0
_END_WITHIN_S = 5.0


class EmulatorStartError(Exception):
    """The emulator did not start; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator."""

    url: str
    """Where `/v1/projects/…/messages:send` and `/token` are."""
    ca_file: Path | None
    """The authority that vouches for it; None without TLS."""
    control: EmulatorControl
    control_url: str
    process: subprocess.Popen[str]

    @property
    def token_uri(self) -> str:
        """Where assertions are exchanged for access tokens."""
        return f"{self.url}/token"

    def send_url(self, project_id: str) -> str:
        """Return the URL that a project's messages are posted to."""
        return f"{self.url}/v1/projects/{project_id}/messages:send"

    def end(self) -> None:
        """End it, by force if it does not go."""
        self.process.terminate()
        try:
            self.process.wait(_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def start(*arguments: str | Path) -> Emulator:
    """Start an emulator with the command line's arguments; EmulatorStartError if it does not.

    It ends with the calling thread at the latest (Linux): call from one that lives on.
    """
    command = [sys.executable, "-m", "loadtests.fcm_emulator", *map(str, arguments)]
    # A file, not a pipe: nobody reads on, and a full pipe would stop the emulator.
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        line = _first_line(process)
        if not line:
            process.wait()
            errors.seek(0)
            raise EmulatorStartError(errors.read().strip() or "it did not say why")
    ready = json.loads(line)
    ca_file = Path(ready["ca_file"]) if ready["ca_file"] else None
    control = EmulatorControl(ready["control_url"])
    return Emulator(ready["url"], ca_file, control, ready["control_url"], process)


def _first_line(process: subprocess.Popen[str]) -> str:
    """Return the line of readiness; empty if the process ended or took too long (and is ended)."""
    assert process.stdout is not None  # noqa: S101  for the type checker: a pipe was asked for
    watchdog = threading.Timer(_START_WITHIN_S, process.kill)
    watchdog.start()
    line: str = process.stdout.readline()
    watchdog.cancel()
    if not line:
        process.stdout.close()
    return line


@contextmanager
def launch(*arguments: str | Path) -> Iterator[Emulator]:
    """Have an emulator running within the block: `launch("--plain", "--quota", "0")`."""
    emulator = start(*arguments)
    try:
        yield emulator
    finally:
        emulator.end()
