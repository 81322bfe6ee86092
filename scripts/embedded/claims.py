"""Who owns the servers of a profile: a file lock, which the kernel frees when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from scripts.embedded import ports
from scripts.embedded.errors import ServersError

READY_TIMEOUT_S = 150.0
"""How long to wait for servers that another process is starting; longer than their own limits."""


@dataclass(frozen=True, slots=True)
class Running:
    """What the owner of running servers tells the others; lies in `running.json`, mode 0600."""

    owner: str
    owner_pid: int
    database_url: str | None
    redis_url: str | None


@dataclass(slots=True)
class Credentials:
    """Passwords and ports of a profile, kept from start to start; mode 0600."""

    postgres_password: str
    redis_password: str
    postgres_port: int
    redis_port: int


@contextlib.contextmanager
def claim(folder: Path) -> Iterator[bool]:
    """Try to own the profile in `folder`; yields whether we do, until the block ends."""
    with (folder / "owner.lock").open("w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def is_claimed(folder: Path) -> bool:
    """Whether somebody owns the profile now."""
    if not (folder / "owner.lock").exists():
        return False
    with claim(folder) as ours:
        return not ours


def announce(folder: Path, running: Running) -> None:
    """Tell others that the servers are ready."""
    _write_private(folder / "running.json", json.dumps(asdict(running)))


def withdraw(folder: Path) -> None:
    """Tell others that the servers are going."""
    (folder / "running.json").unlink(missing_ok=True)


def announced(folder: Path) -> Running | None:
    """Return what the owner tells; None before it is ready. Only true while it is claimed."""
    try:
        return Running(**json.loads((folder / "running.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def wait_for_owner(folder: Path) -> Running | None:
    """Return the other owner's servers once they are ready; None if it ended meanwhile.

    Raises:
        ServersError: they were not ready in time.
    """
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        if running := announced(folder):
            return running
        if not is_claimed(folder):
            return None
        time.sleep(0.1)
    message = f"Another process owns the servers in {folder}, but they do not become ready."
    raise ServersError(message)


def load_credentials(folder: Path) -> Credentials:
    """Return the profile's passwords and ports, made at first; a taken port is replaced.

    For the owner alone, before its servers start.
    """
    path = folder / "credentials.json"
    try:
        kept = Credentials(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        kept = Credentials(secrets.token_hex(16), secrets.token_hex(16), 0, 0)
    if not kept.postgres_port or not ports.is_free(kept.postgres_port):
        kept.postgres_port = ports.free_port()
    while kept.redis_port in (0, kept.postgres_port) or not ports.is_free(kept.redis_port):
        kept.redis_port = ports.free_port()
    _write_private(path, json.dumps(asdict(kept)))
    return kept


def _write_private(path: Path, text: str) -> None:
    """Write a file for our eyes only; readers see the old text or the new, never a part."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
