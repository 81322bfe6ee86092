"""One Valkey (or Redis) server in a folder of its own, append-only file on."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
from pathlib import Path

import redis

from scripts.embedded.errors import ServersError
from scripts.embedded.folders import Account, make_folder
from scripts.embedded.process import end_leftover, spawn_server
from scripts.embedded.server import Server

CONFIG = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir {data}
pidfile {data}/valkey.pid
daemonize no
appendonly yes
appendfsync everysec
save 3600 1 300 100
maxmemory-policy noeviction
"""
"""Given on stdin: a password in the arguments would stand in the process list. `noeviction` as
a broker that drops keys loses tasks without a word."""


class ValkeyServer(Server):
    """Valkey or Redis; killed, it loses what the append-only file does not hold yet (up to 1 s)."""

    title = "Valkey"
    folder_name = "valkey"
    start_timeout_s = 60.0

    def __init__(
        self, *, folder: Path, program: Path, account: Account | None, password: str, port: int
    ) -> None:
        super().__init__(folder=folder, account=account, password=password, port=port)
        self._program = program

    @property
    def url(self) -> str:
        """The address for `REDIS_URL`; kombu knows no `valkey://`."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    def _spawn(self) -> subprocess.Popen[bytes]:
        make_folder(self._data, mode=0o700, account=self._account)
        end_leftover(self._data / "valkey.pid", folder=self._data, stop_signal=signal.SIGTERM)
        return spawn_server(
            [str(self._program), "-"],
            account=self._account,
            log=self.log,
            death_signal=signal.SIGTERM,
            config=CONFIG.format(port=self.port, password=self._password, data=self._data),
        )

    def stop(self, *, keep_data: bool = True) -> None:
        """Shut down in order; without `keep_data` the next start finds an empty server."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
            self._process.wait()
            self._process = None
        if not keep_data:
            shutil.rmtree(self._data, ignore_errors=True)

    def flush(self) -> None:
        """Empty every database of the running server (FLUSHALL)."""
        with contextlib.closing(redis.Redis.from_url(self.url)) as client:
            client.flushall()

    def _is_ready(self) -> bool:
        with contextlib.closing(redis.Redis.from_url(self.url, socket_timeout=5)) as client:
            try:
                return bool(client.ping())
            except redis.AuthenticationError as exc:
                message = f"Another server than ours answers on port {self.port}."
                raise ServersError(message) from exc
            except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError):
                return False
