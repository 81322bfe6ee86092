"""`scripts/test`: every check and the whole suite, on the embedded servers.

    scripts/test                                all checks, then all tests
    scripts/test tests/pushcore -k retry -x     only pytest, with these arguments

DATABASE_URL and REDIS_URL, both set, point the tests to other servers. The rest of the settings
is that of settings/test.py.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts.embedded import ServersError, running_servers
from scripts.embedded.folders import CHECKOUT, server_account
from scripts.embedded.servers import profile_folder

PROFILE = "test"
PYTHON = sys.executable
LINT_IMPORTS = "import importlinter.cli as cli; cli.lint_imports_command()"
"""Import Linter has no `python -m`, and its console script is not on PATH in every environment."""
CHECKS = {
    "ruff check": [PYTHON, "-m", "ruff", "check", "."],
    "ruff format": [PYTHON, "-m", "ruff", "format", "--check", "."],
    "mypy": [PYTHON, "-m", "mypy", "."],
    "import walls": [PYTHON, "-c", LINT_IMPORTS],
    "migrations": [PYTHON, "manage.py", "makemigrations", "--check", "--dry-run"],
    "system checks": [PYTHON, "manage.py", "check"],
}


def main(arguments: list[str]) -> int:
    """Run the checks and tests; return 0 only if all of them passed."""
    if arguments in (["--help"], ["-h"]):
        print(__doc__)
        return 0
    pytest = {"tests": [PYTHON, "-m", "pytest", *arguments]}
    steps = pytest if arguments else CHECKS | pytest
    try:
        with _alone(os.environ), running_servers(PROFILE, owner="scripts/test") as servers:
            environment = os.environ | {
                "DATABASE_URL": servers.database_url,
                "REDIS_URL": servers.redis_url,
                "DJANGO_SETTINGS_MODULE": "settings.test",
            }
            results = {name: _run(name, command, environment) for name, command in steps.items()}
    except ServersError as exc:
        print(exc, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    failed = [name for name, passed in results.items() if not passed]
    print(f"\nFailed: {', '.join(failed)}." if failed else "\nAll passed.")
    return 1 if failed else 0


def _run(name: str, command: list[str], environment: Mapping[str, str]) -> bool:
    print(f"── {name}", flush=True)
    begin = time.monotonic()
    passed = subprocess.run(command, check=False, cwd=CHECKOUT, env=environment).returncode == 0
    print(f"{'ok' if passed else 'FAILED'}: {name}, {time.monotonic() - begin:.1f} s", flush=True)
    return passed


@contextlib.contextmanager
def _alone(environ: Mapping[str, str]) -> Iterator[None]:
    """Refuse a second run on the same embedded servers: both would use one test database.

    Raises:
        ServersError: another run is under way.
    """
    if environ.get("DATABASE_URL") and environ.get("REDIS_URL"):
        yield
        return
    lock = Path(profile_folder(PROFILE, account=server_account()), "run.lock")
    with lock.open("w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = (
                "Another scripts/test runs on these servers. Wait for it, or use servers of your"
                " own: export $(scripts/services up --profile mine)"
            )
            raise ServersError(message) from None
        yield


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
