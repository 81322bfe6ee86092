"""What the embedded servers have in common: a folder, a port that stays, one process."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from scripts.embedded.folders import Account
from scripts.embedded.process import kill_tree, wait_until_ready


class Server(ABC):
    """Made by `running_servers`; a crash test may stop, kill and start it: the port stays."""

    title: ClassVar[str]
    """What people call it."""
    folder_name: ClassVar[str]
    """Of its data, and of its log without the ending."""
    start_timeout_s: ClassVar[float]

    def __init__(self, *, folder: Path, account: Account | None, password: str, port: int) -> None:
        self.port = port
        self.log = folder / "logs" / f"{self.folder_name}.log"
        self._data = folder / self.folder_name
        self._account = account
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """The address that clients are given."""

    @property
    def is_running(self) -> bool:
        """Whether the server process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start and wait until it answers; does nothing where it runs already.

        Raises:
            ServersError: it cannot start; the message says why.
        """
        if self.is_running:
            return
        self._process = self._spawn()
        wait_until_ready(
            self._process,
            self._is_ready,
            what=self.title,
            log=self.log,
            timeout_s=self.start_timeout_s,
        )

    def kill(self) -> None:
        """SIGKILL it with all below it at once: what a power cut leaves behind."""
        if self._process is not None:
            kill_tree(self._process.pid)
            self._process.wait()
            self._process = None

    @abstractmethod
    def _spawn(self) -> subprocess.Popen[bytes]:
        """Start the process; ServersError where it cannot be."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """Return whether it answers; ServersError where it never will."""
