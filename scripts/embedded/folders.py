"""Where the servers' data lies, and whom it belongs to.

PostgreSQL refuses to run as root, so root's servers run as `nobody`, who must be able to reach
their data. A checkout below `/root` is closed to them; then the data lies in
`/var/lib/pushcore/<digest of the checkout's path>` instead. No existing folder's permissions are
ever changed: only folders made here get a mode.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from scripts.embedded.errors import ServersError

CHECKOUT = Path(__file__).resolve().parents[2]
ROOTS_FALLBACK = Path("/var/lib/pushcore")
"""Writable by root alone, so that nobody can put a link in our way, as they could in /tmp."""


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged user that root's servers run as."""

    uid: int
    gid: int


class RunAs(TypedDict, total=False):
    """Arguments for `subprocess` that switch the user; none for an ordinary user."""

    user: int
    group: int
    extra_groups: list[int]


def server_account() -> Account | None:
    """Return whom the servers run as: None for ourselves, `nobody` where we are root.

    Raises:
        ServersError: this machine has no user `nobody`.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        message = (
            "PostgreSQL does not run as root, and this machine has no user 'nobody' to run it as:"
            " run as an ordinary user, or set DATABASE_URL and REDIS_URL."
        )
        raise ServersError(message) from None
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)


def run_as(account: Account | None) -> RunAs:
    """Return the arguments for `subprocess` that run a program as `account`."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def can_reach(path: Path, account: Account | None) -> bool:
    """Whether `account` can enter the folder `path`; asked of the kernel, not computed."""
    command = ["/bin/sh", "-c", 'cd "$1" && test -r .', "sh", str(path)]
    quiet = subprocess.DEVNULL
    return (
        subprocess.run(
            command, check=False, cwd="/", stdout=quiet, stderr=quiet, **run_as(account)
        ).returncode
        == 0
    )


def make_folder(path: Path, *, mode: int, account: Account | None = None) -> Path:
    """Create one folder with exactly this mode and owner; an existing one is only checked.

    Raises:
        ServersError: it cannot be made, or it belongs to somebody else.
    """
    owner = account.uid if account else os.geteuid()
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        _refuse_foreign(path, owner)
        return path
    except OSError as exc:
        message = f"The folder {path} cannot be made: {exc.strerror}."
        raise ServersError(message) from exc
    if account:
        os.chown(path, account.uid, account.gid)
    path.chmod(mode)
    return path


def _refuse_foreign(path: Path, owner: int) -> None:
    found = path.lstat()
    if path.is_symlink() or not path.is_dir():
        message = f"{path} is in the way: a folder is needed there."
        raise ServersError(message)
    if found.st_uid not in (owner, os.geteuid()):
        message = (
            f"{path} belongs to {_user_name(found.st_uid)}, not to {_user_name(owner)}:"
            " run as that user, or move the folder away."
        )
        raise ServersError(message)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def default_data_root(account: Account | None, checkout: Path = CHECKOUT) -> Path:
    """Return the folder that holds all profiles of this checkout, made where it is missing.

    Raises:
        ServersError: it cannot be made, or it belongs to somebody else.
    """
    inside = make_folder(checkout / ".data", mode=0o755)
    if account is None or can_reach(inside, account):
        return inside
    digest = hashlib.sha256(os.fsencode(checkout)).hexdigest()[:12]
    make_folder(ROOTS_FALLBACK, mode=0o755)
    return make_folder(ROOTS_FALLBACK / digest, mode=0o755)
