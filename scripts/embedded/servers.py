"""Both servers together: from the environment, from a running owner, or started here."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from scripts.embedded import binaries, claims
from scripts.embedded.errors import ServersError
from scripts.embedded.folders import Account, default_data_root, make_folder, server_account
from scripts.embedded.postgres import PostgresServer
from scripts.embedded.valkey import ValkeyServer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Servers:
    """The addresses to use, and the servers themselves where this process owns them."""

    database_url: str
    redis_url: str
    postgres: PostgresServer | None = None
    redis: ValkeyServer | None = None


@contextlib.contextmanager
def running_servers(
    profile: str,
    *,
    owner: str = "another program",
    environ: Mapping[str, str] = os.environ,
    data_root: Path | None = None,
) -> Iterator[Servers]:
    """Give running servers for the length of the block.

    `DATABASE_URL` and `REDIS_URL` in `environ` come first. What they leave open is served by the
    embedded servers of `profile`: those of a process that runs them already (which then are not
    stopped at the end), else started here and stopped at the end; `owner` is what others are told
    about this process. Call it from the main thread:
    Linux ends a child with the *thread* that started it. `environ={}` asks for servers whatever
    the environment says; `PUSHCORE_SERVERS=system` for the machine's own programs.

    Raises:
        ServersError: a server cannot be had; the message is a sentence for a person.
    """
    database_url, redis_url = environ.get("DATABASE_URL"), environ.get("REDIS_URL")
    if database_url and redis_url:
        yield Servers(database_url, redis_url)
        return
    account = server_account()
    folder = profile_folder(profile, account=account, data_root=data_root)
    with contextlib.ExitStack() as stack:
        if stack.enter_context(claims.claim(folder)):
            pair = _OwnPair(folder, owner=owner, account=account, environ=environ)
            stack.callback(pair.stop)
            pair.start(postgres=not database_url, redis=not redis_url)
            yield Servers(
                database_url or _present(pair.postgres).url,
                redis_url or _present(pair.redis).url,
                pair.postgres,
                pair.redis,
            )
            return
        other = claims.wait_for_owner(folder)
        if other is None:
            message = "The process that was starting the servers ended: try again."
            raise ServersError(message)
        yield Servers(
            database_url or _present(other.database_url), redis_url or _present(other.redis_url)
        )


def profile_folder(profile: str, *, account: Account | None, data_root: Path | None = None) -> Path:
    """Return the folder of one profile's data, made where it is missing.

    Raises:
        ServersError: the name is unfit for a folder, or the folder cannot be had.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,40}", profile) or profile == "programs":
        message = f"A profile's name has lower-case letters, digits, - and _ only: not {profile!r}."
        raise ServersError(message)
    folder = make_folder((data_root or default_data_root(account)) / profile, mode=0o755)
    make_folder(folder / "logs", mode=0o755)
    return folder


class _OwnPair:
    """The servers that this process owns."""

    def __init__(
        self, folder: Path, *, owner: str, account: Account | None, environ: Mapping[str, str]
    ) -> None:
        self.postgres: PostgresServer | None = None
        self.redis: ValkeyServer | None = None
        self._folder = folder
        self._owner = owner
        self._account = account
        self._system = _wants_system(environ)

    def start(self, *, postgres: bool, redis: bool) -> None:
        claims.withdraw(self._folder)  # what a killed owner left
        kept = claims.load_credentials(self._folder)
        if postgres:
            self.postgres = PostgresServer(
                folder=self._folder,
                programs=self._postgres_programs(),
                account=self._account,
                password=kept.postgres_password,
                port=kept.postgres_port,
            )
            self.postgres.start()
        if redis:
            self.redis = ValkeyServer(
                folder=self._folder,
                program=self._valkey_program(),
                account=self._account,
                password=kept.redis_password,
                port=kept.redis_port,
            )
            self.redis.start()
        claims.announce(
            self._folder,
            claims.Running(
                owner=self._owner,
                owner_pid=os.getpid(),
                database_url=self.postgres.url if self.postgres else None,
                redis_url=self.redis.url if self.redis else None,
            ),
        )

    def stop(self) -> None:
        claims.withdraw(self._folder)
        if self.redis:
            self.redis.stop()
        if self.postgres:
            self.postgres.stop()

    def _postgres_programs(self) -> Path:
        if self._system:
            return binaries.system_postgres(self._account)
        return binaries.wheel_postgres(self._account, self._folder.parent)

    def _valkey_program(self) -> Path:
        if self._system:
            return binaries.system_valkey(self._account)
        return binaries.wheel_valkey(self._account, self._folder.parent)


def _wants_system(environ: Mapping[str, str]) -> bool:
    wanted = environ.get("PUSHCORE_SERVERS", "")
    if wanted not in ("", "system"):
        message = f"PUSHCORE_SERVERS may be 'system' or unset, not {wanted!r}."
        raise ServersError(message)
    return wanted == "system"


def _present(value: T | None) -> T:
    """Return what the running owner serves."""
    if value is None:
        message = "The servers that run already are not both embedded: set both URLs, or neither."
        raise ServersError(message)
    return value
