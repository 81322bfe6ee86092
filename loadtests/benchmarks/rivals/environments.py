"""Environments of the rivals' own, made on demand from the pinned files beside this one.

Nothing of them touches the product's. An environment is named for the digest of what it holds and
stamped when it is complete, so a run that finds one asks no registry.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from loadtests.benchmarks.rivals.catalogue import Language, Rival

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2] / ".data" / "benchmarks" / "rivals"
REQUIREMENTS = HERE / "requirements.txt"
NODE_DRIVERS = HERE / "node"
PACKAGE, LOCK = NODE_DRIVERS / "package.json", NODE_DRIVERS / "package-lock.json"
DRIVERS = "loadtests.benchmarks.rivals.drivers"
STAMP = "complete"
INSTALL_WITHIN_S = 600.0


class NotInstalledError(Exception):
    """An environment cannot be had; the message says why, in a sentence."""


def command_of(rival: Rival) -> list[str]:
    """Return the command of a rival's driver, its environment made where there is none.

    Raises:
        NotInstalledError: it cannot be made.
    """
    if rival.language is Language.PYTHON:
        return [str(python_environment() / "bin" / "python"), "-m", f"{DRIVERS}.{rival.driver}"]
    return [_found("node"), str(node_environment() / f"{rival.driver}.mjs")]


def version_of(rival: Rival) -> str:
    """Return the version that is pinned."""
    if rival.language is Language.NODE:
        pinned: str = json.loads(PACKAGE.read_text())["dependencies"][rival.package]
        return pinned
    found = re.search(rf"^{rival.package}==(\S+)", REQUIREMENTS.read_text(), re.MULTILINE)
    if found is None:
        raise NotInstalledError(f"{rival.package} is not in {REQUIREMENTS.name}.")
    return found[1]


def python_environment() -> Path:
    """Return the folder of a virtual environment. Raises NotInstalledError."""
    return _environment("python", [REQUIREMENTS], _install_python)


def node_environment() -> Path:
    """Return a folder with the drivers and their node_modules. Raises NotInstalledError."""
    folder = _environment("node", [PACKAGE, LOCK], _install_node)
    # A driver finds its library by where it lies itself.
    for driver in NODE_DRIVERS.glob("*.mjs"):
        shutil.copy(driver, folder)
    return folder


def _environment(name: str, pinned: Sequence[Path], install: Callable[[Path], None]) -> Path:
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in pinned)).hexdigest()[:12]
    folder = ROOT / f"{name}-{digest}"
    ROOT.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time():
        if not (folder / STAMP).exists():
            shutil.rmtree(folder, ignore_errors=True)
            install(folder)
            (folder / STAMP).touch()
    return folder


def _install_python(folder: Path) -> None:
    python = folder / "bin" / "python"
    if uv := shutil.which("uv"):
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)])
        installer = [uv, "pip", "install", "--quiet", "--python", str(python)]
    else:
        _run([sys.executable, "-m", "venv", str(folder)])
        installer = [str(python), "-m", "pip", "install", "--quiet", "--no-input"]
    _run([*installer, "--require-hashes", "-r", str(REQUIREMENTS)])


def _install_node(folder: Path) -> None:
    npm = _found("npm")
    folder.mkdir()
    for file in (PACKAGE, LOCK):
        shutil.copy(file, folder)
    quiet = ("--no-audit", "--no-fund", "--loglevel=error")
    _run([npm, "ci", "--ignore-scripts", *quiet], folder=folder)


def _found(program: str) -> str:
    if path := shutil.which(program):
        return path
    raise NotInstalledError(f"There is no {program} on this machine (Node.js 20 or newer).")


def _run(command: Sequence[str], *, folder: Path | None = None) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALL_WITHIN_S,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise NotInstalledError(f"{Path(command[0]).name}: {exc}.") from exc
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "without a word").splitlines()[-1]
        raise NotInstalledError(f"{Path(command[0]).name} failed: {said}")


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    with (ROOT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
