"""How long the API's calls took, by Locust's own account."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from loadtests.load.options import Options

LOCUSTFILE = Path(__file__).resolve().parents[1] / "locustfile.py"
GRACE_S = 60
"""How much longer than asked a run may take before it is ended."""


class LoadFailedError(Exception):
    """Locust did not run to its end; the message is what it said last."""


@dataclass(frozen=True, slots=True)
class Call:
    """One kind of call; times in milliseconds."""

    name: str
    count: int
    failures: int
    p50: float
    p95: float
    p99: float


def run_users(options: Options, *, url: str, api_key: str, report: Path) -> list[Call]:
    """Let the users come, for as long as asked; return what each kind of call took.

    `report` is the path of Locust's reports without their endings.

    Raises:
        LoadFailedError: Locust failed for another reason than refused calls.
    """
    environment = os.environ | {
        "LOAD_API_KEY": api_key,
        "LOAD_USERS": str(options.users),
        "LOAD_SECONDS": str(options.seconds),
        "LOAD_SHAPE": options.shape,
    }
    command = [
        *(sys.executable, "-m", "locust", "--locustfile", str(LOCUSTFILE), "--host", url),
        *("--headless", "--only-summary", "--exit-code-on-error", "0"),
        *("--csv", str(report), "--html", f"{report}.html"),
    ]
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=options.seconds + GRACE_S,
        )
    except subprocess.TimeoutExpired:
        message = f"Locust did not end {GRACE_S} s after its time."
        raise LoadFailedError(message) from None
    if done.returncode != 0:
        raise LoadFailedError(done.stderr.strip().splitlines()[-1])
    return read_calls(Path(f"{report}_stats.csv"))


def read_calls(path: Path) -> list[Call]:
    """Read Locust's table of calls, the busiest first; its sum is left out."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["Type"]]
    calls = [
        Call(
            name=row["Name"],
            count=int(row["Request Count"]),
            failures=int(row["Failure Count"]),
            p50=_milliseconds(row["50%"]),
            p95=_milliseconds(row["95%"]),
            p99=_milliseconds(row["99%"]),
        )
        for row in rows
    ]
    return sorted(calls, key=lambda call: -call.count)


def _milliseconds(text: str) -> float:
    return 0.0 if text == "N/A" else float(text)
