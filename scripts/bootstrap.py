"""The environment: made once, reused at once, then the wanted module runs inside it.

Standard library only, and in syntax that old Pythons can read, so that they get a sentence
instead of a traceback. The way in is the first that works of: uv, `python -m venv`,
`pip install --target` (Debian's system Python refuses a plain `pip install`, PEP 668, and has no
working venv before its package python3-venv is installed).

What is installed is stamped with the digest of the requirements file, so a run that finds the
stamp asks no installer. A marker says that an install is under way: where a run finds one that
nobody works on, the environment is half made and made anew.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - this is what tells an old Python's user
    OLD = "Pushcore needs Python 3.11 or newer, and this is {}.{}: run this with a newer python3."
    sys.exit(OLD.format(*sys.version_info))

CHECKOUT = Path(__file__).resolve().parent.parent
VENV = CHECKOUT / ".venv"
TARGETS = CHECKOUT / ".env-target"
STAMP, MARKER = "pushcore-stamp.json", "pushcore-unfinished"
MISSING_INSTALLERS = (
    "No way to make a Python environment: install one of uv, venv (Debian and Ubuntu:"
    " apt-get install python3-venv) or pip for {python}."
)
REASONS = (
    # what an installer's output holds, what that means to a person
    (("No space left on device", "os error 28"), "The disk is full."),
    (
        ("Temporary failure in name resolution", "Name or service not known", "dns error",
         "Network is unreachable", "Connection refused", "Failed to establish a new connection",
         "ConnectTimeout", "Read timed out", "tcp connect error", "error sending request"),
        "The package index cannot be reached: check the network.",
    ),
    (
        ("gcc' failed", "command 'cc' failed", "unable to execute 'gcc'", "error: linker",
         "No such file or directory: 'gcc'", "cargo, the Rust package manager, is not installed",
         "Failed building wheel", "Failed to build"),
        "A package has no prebuilt wheel for this platform, and building it needs a compiler.",
    ),
    (("THESE PACKAGES DO NOT MATCH THE HASHES", "Hash mismatch"),
     "A downloaded package is not the one that was pinned."),
    (("No matching distribution", "no wheels with a matching", "No solution found"),
     "A pinned package cannot be had for this platform and Python."),
    (("Permission denied", "PermissionError"), "A file or folder may not be written."),
)  # fmt: skip


class BootstrapError(Exception):
    """No environment could be made; the message is a sentence for a person."""


def run_in_environment(module: str, arguments: list[str], *, requirements: str) -> None:
    """Replace this process by `python -m module *arguments` in the environment.

    That holds `requirements` (a file's name in the checkout), and the working folder is the
    checkout. Exits with a sentence where there can be no such environment.
    """
    try:
        python, extra_path = ensure(requirements)
    except BootstrapError as exc:
        sys.exit(str(exc))
    except OSError as exc:
        sys.exit(f"The Python environment cannot be made: {exc}.")
    except KeyboardInterrupt:
        sys.exit(130)
    os.chdir(CHECKOUT)
    environment = dict(os.environ)
    if extra_path is not None:
        kept = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join([str(extra_path)] + ([kept] if kept else []))
    sys.stdout.flush()
    os.execve(python, [python, "-m", module, *arguments], environment)  # noqa: S606 - no shell: meant


def ensure(requirements: str) -> tuple[str, Path | None]:
    """Return the interpreter to use, and the folder it needs on PYTHONPATH (None: none).

    Raises:
        BootstrapError: no environment could be made.
    """
    digest = hashlib.sha256((CHECKOUT / requirements).read_bytes()).hexdigest()
    target = TARGETS / Path(requirements).stem
    with _one_at_a_time():
        if _is_stamped(VENV, requirements, digest) and _starts(_venv_python()):
            return _venv_python(), None
        if _is_stamped(target, requirements, digest):
            return sys.executable, target
        _tell("Preparing the Python environment (once; a minute or two) …")
        if _install_in_venv(requirements):
            _stamp(VENV, requirements, digest)
            return _venv_python(), None
        _install_in_target(requirements, target)
        _stamp(target, requirements, digest)
        return sys.executable, target


def _install_in_venv(requirements: str) -> bool:
    """Install into `.venv`, made where it is missing or unusable; False: nothing here makes one."""
    uv = _find_uv()
    unusable = (VENV / MARKER).exists() or not _starts(_venv_python())
    if unusable and not _make_venv(uv):
        return False
    if uv:
        installer = [uv, "pip", "install", "--quiet", "--python", _venv_python()]
    else:
        installer = [
            *_pip_for_venv(),
            "install",
            "--quiet",
            "--no-input",
            "--disable-pip-version-check",
        ]
    (VENV / MARKER).touch()
    _install(installer, requirements)
    (VENV / MARKER).unlink()
    return True


def _make_venv(uv: str | None) -> bool:
    ways = [[sys.executable, "-m", "venv", str(VENV)]]
    if uv:
        ways.insert(0, [uv, "venv", "--quiet", "--python", sys.executable, str(VENV)])
    for way in ways:
        shutil.rmtree(VENV, ignore_errors=True)
        if _run(way).returncode == 0:
            return True
    shutil.rmtree(VENV, ignore_errors=True)
    return False


def _pip_for_venv() -> list[str]:
    """Return the command of a pip that installs into `.venv`; one made by uv holds none itself."""
    inside = [_venv_python(), "-m", "pip"]
    if _run([*inside, "--version"]).returncode == 0:
        return inside
    outside = [sys.executable, "-m", "pip", "--python", _venv_python()]
    if _run([*outside, "--version"]).returncode == 0:
        return outside
    _run([_venv_python(), "-m", "ensurepip"])
    return inside


def _install_in_target(requirements: str, target: Path) -> None:
    """Install into a plain folder, which appears under its name only when it is complete."""
    pip = [sys.executable, "-m", "pip"]
    if _run([*pip, "--version"]).returncode != 0:
        raise BootstrapError(MISSING_INSTALLERS.format(python=sys.executable))
    unfinished = target.with_name(target.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    quiet = ["--quiet", "--no-input", "--disable-pip-version-check"]
    try:
        _install([*pip, "install", *quiet, "--target", str(unfinished)], requirements)
        shutil.rmtree(target, ignore_errors=True)
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _install(installer: list[str], requirements: str) -> None:
    done = _run([*installer, "--require-hashes", "-r", str(CHECKOUT / requirements)])
    if done.returncode == 0:
        return
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    reason = next(
        (text for signs, text in REASONS if any(sign in done.stdout for sign in signs)),
        "The Python packages cannot be installed.",
    )
    last = lines[-1][:300] if lines else "it said nothing"
    raise BootstrapError(f"{reason} The installer's last line: {last}")


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run to the end, output of both kinds kept together; a missing program is a failure."""
    try:
        return subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=CHECKOUT,
        )
    except OSError as exc:
        return subprocess.CompletedProcess(command, 127, stdout=str(exc))


def _find_uv() -> str | None:
    """Return uv's path if it really runs: version managers leave stubs that do not."""
    uv = shutil.which("uv")
    return uv if uv and _run([uv, "--version"]).returncode == 0 else None


def _venv_python() -> str:
    return str(VENV / "bin" / "python")


def _starts(python: str) -> bool:
    """Whether this interpreter runs and is new enough: a moved or upgraded one leaves a ruin."""
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    return _run([python, "-c", check]).returncode == 0


def _is_stamped(environment: Path, requirements: str, digest: str) -> bool:
    return not (environment / MARKER).exists() and _stamps(environment).get(requirements) == digest


def _stamps(environment: Path) -> dict[str, str]:
    """Return which requirements files an environment holds: name → digest."""
    try:
        found = json.loads((environment / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _stamp(environment: Path, requirements: str, digest: str) -> None:
    stamps = {**_stamps(environment), requirements: digest}
    (environment / STAMP).write_text(json.dumps(stamps), encoding="utf-8")


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Wait while another run makes the environment; the kernel frees the lock of a killed one."""
    folder = CHECKOUT / ".data"
    try:
        with contextlib.suppress(FileExistsError):  # another run may be making it just now
            folder.mkdir()
            folder.chmod(0o755)  # the servers' user passes through, whatever the umask
        lock = (folder / "environment.lock").open("a")
    except OSError as exc:
        raise BootstrapError(f"The folder {folder} cannot be written: {exc.strerror}.") from exc
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _tell("Another run prepares the Python environment: waiting for it …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _tell(sentence: str) -> None:
    """Speak on stderr: stdout belongs to the program that follows."""
    print(sentence, file=sys.stderr, flush=True)
