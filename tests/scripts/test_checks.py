from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys

from scripts.checks import CHECKS
from scripts.embedded.folders import CHECKOUT, server_account
from scripts.embedded.servers import profile_folder


def run_checks(*arguments: str, **environ: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.checks", *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        env=os.environ | environ,
    )
    return done.returncode, done.stdout, done.stderr


def test_arguments_are_pytests_and_skip_the_checks() -> None:
    status, out, _ = run_checks("tests/scripts/demo_run/test_options.py", "-q", "-k", "all_options")
    assert status == 0
    assert "1 passed" in out
    assert out.endswith("\nAll passed.\n")
    assert not [name for name in CHECKS if name in out]


def test_a_failure_is_summed_up_in_the_last_line_and_the_exit_status() -> None:
    status, out, _ = run_checks("tests/there-is-no-such-file.py")
    assert status == 1
    assert out.endswith("\nFailed: tests.\n")


def test_a_second_run_on_the_same_servers_is_refused() -> None:
    folder = profile_folder("test", account=server_account())
    with (folder / "run.lock").open("w") as file:
        # Where this suite itself runs by scripts/test, that run holds the lock already.
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status, out, err = run_checks("--co", DATABASE_URL="", REDIS_URL="")
    assert (status, out) == (1, "")
    assert err.startswith("Another scripts/test runs on these servers. ")


def test_help_says_how() -> None:
    status, out, _ = run_checks("--help")
    assert status == 0
    assert "scripts/test tests/pushcore -k retry" in out
