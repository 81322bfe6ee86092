"""One RabbitMQ server in a folder of its own, from the system's program."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from kombu import Connection

from scripts.embedded.folders import make_folder, run_as, server_account
from scripts.embedded.ports import free_port
from scripts.embedded.process import end_with_parent, kill_tree, wait_until_ready

PROGRAMS = ("/usr/lib/rabbitmq/bin/rabbitmq-server",)
"""Debian's own script; the one on its PATH insists on the system's user and folders."""
START_TIMEOUT_S = 90.0
CONFIG = """\
listeners.tcp.1 = 127.0.0.1:{port}
default_user = crash
default_pass = {password}
log.console = true
log.console.level = warning
"""


def find_program() -> str | None:
    """Return the path of RabbitMQ's server, None where this machine has none."""
    known = [path for path in PROGRAMS if Path(path).exists()]
    return known[0] if known else shutil.which("rabbitmq-server")


class RabbitServer:
    """Its node, port, data and password are its own; it may be killed and started again.

    Erlang's port mapper (epmd), which would otherwise outlive the node, runs as a second child.
    """

    def __init__(self, *, folder: Path, program: str) -> None:
        self._account = server_account()
        self._folder = make_folder(folder / "rabbitmq", mode=0o700, account=self._account)
        self._program = program
        self._password = secrets.token_hex(16)
        self._port, self._mapper_port, self._node_port = (free_port() for _ in range(3))
        self._log = folder / "rabbitmq.log"
        self._mapper: subprocess.Popen[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address for `CELERY_BROKER_URL`."""
        return f"amqp://crash:{self._password}@127.0.0.1:{self._port}//"

    def start(self) -> None:
        """Start and wait until it takes connections; does nothing where it runs already.

        Raises:
            ServersError: it cannot start; the message says why.
        """
        if self._process is not None:
            return
        if self._mapper is None:
            self._mapper = self._spawn(["epmd"], log=self._log.with_name("epmd.log"))
        self._process = self._spawn([self._program], log=self._log)
        wait_until_ready(
            self._process,
            self._is_ready,
            what="RabbitMQ",
            log=self._log,
            timeout_s=START_TIMEOUT_S,
        )

    def kill(self) -> None:
        """SIGKILL the node; what it has on disk stays."""
        if self._process is not None:
            kill_tree(self._process.pid)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End node and port mapper for good."""
        self.kill()
        if self._mapper is not None:
            self._mapper.kill()
            self._mapper.wait()
            self._mapper = None

    def _spawn(self, command: list[str], *, log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=self._environment(),
                start_new_session=True,
                preexec_fn=end_with_parent(signal.SIGKILL),  # noqa: PLW1509 - takes no lock
                **run_as(self._account),
            )

    def _environment(self) -> dict[str, str]:
        config = self._folder / "rabbitmq.conf"
        if not config.exists():
            config.touch(mode=0o600)
            config.write_text(
                CONFIG.format(port=self._port, password=self._password), encoding="ascii"
            )
            if self._account:
                os.chown(config, self._account.uid, self._account.gid)
        return {
            "PATH": f"{os.defpath}:/usr/sbin:/usr/local/bin:/usr/local/sbin",
            "LC_ALL": "C.UTF-8",
            "HOME": str(self._folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._mapper_port),
            "RABBITMQ_NODENAME": f"crash{self._port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "RABBITMQ_CONF_ENV_FILE": str(self._folder / "none.conf"),
            "RABBITMQ_CONFIG_FILE": str(config.with_suffix("")),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "data"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "detached": "1",  # become the node instead of watching over it
        }

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError), Connection(self.url, connect_timeout=5) as connection:
            connection.connect()
            return True
        return False
