"""One measurement of one rival: the emulator on port 443, and its drivers.

Runs inside the namespace that `isolation` makes: `python -m loadtests.benchmarks.rivals.room`
with a JSON object as its argument; prints one on its last line.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from loadtests.benchmarks.rivals.isolation import NoIsolationError, shut_in
from loadtests.benchmarks.rivals.processes import DriverFailedError, Drivers
from loadtests.fcm_emulator.process import Emulator, EmulatorStartError, launch
from scripts.embedded.process import PR_SET_PDEATHSIG

ROOT = Path(__file__).resolve().parents[3]
PROJECT = "rivals"
TITLE, BODY = "Good news", "A message of the usual length, to be read at once."
"""What `loadtests.benchmarks.transport` sends as well."""
READY_WITHIN_S = 60.0
GOOGLES_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105  an address
FAILURES = (DriverFailedError, EmulatorStartError, NoIsolationError, OSError, psutil.Error)
KEPT = ("PATH", "HOME", "LANG", "TMPDIR")
"""What drivers get of the environment; above all no proxy and no options of an interpreter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be measured."""

    command: Sequence[str]
    """A driver's, without its job."""
    messages: int
    processes: int
    latency_ms: float
    outcomes: str
    """As the emulator's option; empty for none."""
    within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured; what was accepted is the emulator's word, what was told the library's."""

    messages: int
    processes: int
    elapsed_s: float
    cpu_s: float
    peak_mb: float
    told_succeeded: int
    told_failed: int
    errors: dict[str, int]
    """The library's commonest words for failures."""
    accepted: int
    """Messages of which there is a receipt."""
    accepted_twice: int
    """Messages of which there is more than one."""
    received: int
    """Requests that reached the emulator."""
    emulator_cpu_s: float
    """The emulator's processor time: near `elapsed_s` it would be what held the rival up."""


def measure(task: Task, *, folder: Path) -> Measured:
    """Measure, with all files in `folder`.

    Raises:
        DriverFailedError: a driver ended or was not done in time.
        NoIsolationError: this is no namespace of our own.
    """
    shut_in(folder)
    account = folder / "service-account.json"
    with launch(
        *("--port", "443", "--tls-dir", folder / "tls", "--quota", "0"),
        *("--latency-ms", str(task.latency_ms), "--outcomes", task.outcomes),
        *("--service-account-file", account, "--project-id", PROJECT),
    ) as emulator:
        _point_to_google(account)
        commands = _commands(task, account)
        environment = _environment(emulator)
        with Drivers(commands, environment=environment, log=folder / "log") as drivers:
            drivers.wait_until_ready(within_s=READY_WITHIN_S)
            emulator_cpu_s = -_cpu_s(emulator)
            cost, told = drivers.send(within_s=task.within_s)
            emulator_cpu_s += _cpu_s(emulator)
        stats = emulator.control.stats()
    errors = sum((Counter(word["errors"]) for word in told), Counter[str]())
    return Measured(
        messages=task.messages,
        processes=task.processes,
        elapsed_s=round(cost.elapsed_s, 3),
        cpu_s=round(cost.cpu_s, 2),
        peak_mb=round(cost.peak_mb, 1),
        told_succeeded=sum(word["succeeded"] for word in told),
        told_failed=sum(word["failed"] for word in told),
        errors=dict(errors.most_common(3)),
        accepted=stats["accepted_unique"],
        accepted_twice=stats["accepted_twice"],
        received=stats["received"],
        emulator_cpu_s=round(emulator_cpu_s, 2),
    )


def _cpu_s(emulator: Emulator) -> float:
    times = psutil.Process(emulator.process.pid).cpu_times()
    return float(times.user + times.system)


def _point_to_google(account: Path) -> None:
    """Have the account's file say what Google's own do."""
    content = json.loads(account.read_text())
    account.write_text(json.dumps(content | {"token_uri": GOOGLES_TOKEN_URI}))


def _commands(task: Task, account: Path) -> list[list[str]]:
    jobs = [
        {
            "service_account": str(account),
            "title": TITLE,
            "body": BODY,
            "messages": task.messages,
            "first": first,
            "step": task.processes,
        }
        for first in range(task.processes)
    ]
    return [[*task.command, json.dumps(job)] for job in jobs]


def _environment(emulator: Emulator) -> Mapping[str, str]:
    """Return the drivers' environment: the authority that they trust beside the usual ones."""
    authority = str(emulator.ca_file)
    return {name: os.environ[name] for name in KEPT if name in os.environ} | {
        "SSL_CERT_FILE": authority,  # httpx, and OpenSSL's own
        "REQUESTS_CA_BUNDLE": authority,
        "NODE_EXTRA_CA_CERTS": authority,
        "PYTHONPATH": str(ROOT),
    }


def main(argument: str) -> int:
    """Measure what the argument asks for."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that all is ended and removed
    # Asked for in here: entering the namespace has made the kernel forget what was asked before.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
    task = Task(**json.loads(argument))
    with tempfile.TemporaryDirectory(prefix="rival-") as folder:
        try:
            measured: dict[str, Any] = asdict(measure(task, folder=Path(folder)))
        except FAILURES as failure:
            print(failure, file=sys.stderr)
            return 1
    print(json.dumps(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
