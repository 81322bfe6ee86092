"""One PostgreSQL server in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Literal

import psycopg2

from scripts.embedded import binaries
from scripts.embedded.errors import ServersError
from scripts.embedded.folders import Account, make_folder, run_as
from scripts.embedded.process import (
    end_leftover,
    kill_tree,
    last_line,
    spawn_server,
)
from scripts.embedded.server import Server

NAME = "pushcore"
"""The role, a superuser of this private server, and its database."""
STOP_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
"""PostgreSQL's own shutdown modes; "smart" would wait for clients without end."""
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a path of a deep checkout exceeds the 107 bytes allowed
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "max_wal_size": "2GB",
    # These builds know pglz only: it takes a quarter of what settling costs the server, and saves a
    # quarter of the log.
    "wal_compression": "off",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class PostgresServer(Server):
    """PostgreSQL; `programs` is the folder of its binaries."""

    title = "PostgreSQL"
    folder_name = "postgres"
    start_timeout_s = 120.0  # crash recovery replays up to max_wal_size (2 GB) of log first

    def __init__(
        self, *, folder: Path, programs: Path, account: Account | None, password: str, port: int
    ) -> None:
        super().__init__(folder=folder, account=account, password=password, port=port)
        self._programs = programs

    @property
    def url(self) -> str:
        """The address for `DATABASE_URL`."""
        return f"postgres://{NAME}:{self._password}@127.0.0.1:{self.port}/{NAME}"

    def _spawn(self) -> subprocess.Popen[bytes]:
        if not self._data.exists():
            self._initialise()
        self._refuse_other_version()
        end_leftover(
            self._data / "postmaster.pid", folder=self._data, stop_signal=STOP_SIGNALS["fast"]
        )
        options = OPTIONS | {"port": str(self.port)}
        return spawn_server(
            [
                str(self._programs / "postgres"),
                "-D",
                str(self._data),
                *(f"--{name}={value}" for name, value in options.items()),
            ],
            account=self._account,
            log=self.log,
            death_signal=STOP_SIGNALS["fast"],
        )

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Shut down: `fast` ends clients and checkpoints, `immediate` leaves as a crash would."""
        if self._process is None:
            return
        self._process.send_signal(STOP_SIGNALS[mode])
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            kill_tree(self._process.pid)
        self._process.wait()
        self._process = None

    def _is_ready(self) -> bool:
        try:
            connection = self._connect("postgres")
        except psycopg2.OperationalError as exc:
            if "authentication failed" in str(exc):
                message = (
                    f"The data in {self._data} has another password than credentials.json beside"
                    " it: put the file back, or move that folder away."
                )
                raise ServersError(message) from exc
            return False
        connection.autocommit = True  # CREATE DATABASE refuses to run in a transaction
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME])
            if cursor.fetchone() is None:
                cursor.execute(f"CREATE DATABASE {NAME}")
        return True

    def _connect(self, database: str) -> psycopg2.extensions.connection:
        return psycopg2.connect(
            host="127.0.0.1",
            port=self.port,
            user=NAME,
            password=self._password,
            dbname=database,
            sslmode="disable",
            connect_timeout=5,
        )

    def _initialise(self) -> None:
        """Make the data folder; an interrupted attempt leaves none behind under its final name."""
        unfinished = self._data.with_name("postgres.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        make_folder(unfinished, mode=0o700, account=self._account)
        password_file = unfinished.with_name("postgres.password")
        password_file.unlink(missing_ok=True)
        try:
            self._write_private(password_file, self._password)
            self._initdb(unfinished, password_file)
        finally:
            password_file.unlink(missing_ok=True)
        unfinished.rename(self._data)

    def _write_private(self, path: Path, text: str) -> None:
        path.touch(mode=0o600)
        path.write_text(text, encoding="ascii")
        if self._account:
            os.chown(path, self._account.uid, self._account.gid)

    def _initdb(self, target: Path, password_file: Path) -> None:
        log = self.log.with_name("initdb.log")
        command = [
            str(self._programs / "initdb"),
            f"--pgdata={target}",
            f"--username={NAME}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            *self._locale_options(),
        ]
        with log.open("wb") as output:
            done = subprocess.run(
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                **run_as(self._account),
            )
        if done.returncode != 0:
            message = f"PostgreSQL's data folder cannot be made: {last_line(log)} (log: {log})"
            raise ServersError(message)

    def _locale_options(self) -> list[str]:
        """Unicode case rules without a system locale: `lower()` must know Cyrillic."""
        if self._major() >= 17:
            return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        return ["--locale=C.UTF-8"]

    def _major(self) -> int:
        return int(binaries.version_of(self._programs / "postgres").split(".", maxsplit=1)[0])

    def _refuse_other_version(self) -> None:
        try:
            made_by = int((self._data / "PG_VERSION").read_text(encoding="ascii"))
        except (OSError, ValueError) as exc:
            message = f"{self._data} holds no readable PostgreSQL data: move it away ({exc})."
            raise ServersError(message) from exc
        if made_by != (major := self._major()):
            message = (
                f"The data in {self._data} was made by PostgreSQL {made_by}, and this is {major}:"
                " move that folder away to start afresh, or dump it with its own version first."
            )
            raise ServersError(message)
