"""Each test bootstraps a checkout of its own, whose one requirement is a wheel made here."""

from __future__ import annotations

import ast
import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts.embedded.folders import CHECKOUT

ENTRY = """
import sys
sys.path[0] = {checkout!r}
from scripts.bootstrap import run_in_environment
run_in_environment("told", sys.argv[1:], requirements="requirements.txt")
"""
TOLD = "import sys, wanted; print(wanted.VALUE, sys.argv[1:], sys.prefix == sys.base_prefix)"
BASE_PYTHON = getattr(sys, "_base_executable", sys.executable)


def base_python_has(module: str) -> bool:
    command = [BASE_PYTHON, "-c", f"import {module}"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


needs_venv = pytest.mark.skipif(not base_python_has("ensurepip"), reason="no working venv here")
needs_pip = pytest.mark.skipif(not base_python_has("pip"), reason="no pip here")


class Checkout:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "scripts").mkdir()
        shutil.copy(CHECKOUT / "scripts" / "bootstrap.py", folder / "scripts")
        (folder / "told.py").write_text(TOLD)
        (folder / "run.py").write_text(ENTRY.format(checkout=str(folder)))
        self.environ = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
        self.require(value=1)

    def require(self, *, value: int, wrong_hash: bool = False) -> None:
        """Pin the package `wanted`, whose VALUE is this, as version 1.`value`."""
        wheel = self._build_wheel(value)
        digest = "0" * 64 if wrong_hash else hashlib.sha256(wheel.read_bytes()).hexdigest()
        (self.folder / "requirements.txt").write_text(
            f"--no-index\n--find-links {wheel.parent}\nwanted==1.{value} --hash=sha256:{digest}\n"
        )

    def _build_wheel(self, value: int) -> Path:
        info = f"wanted-1.{value}.dist-info"
        files = {
            "wanted.py": f"VALUE = {value}\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: wanted\nVersion: 1.{value}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = ""
        for name, text in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()
            record += f"{name},sha256={digest.rstrip('=')},{len(text)}\n"
        wheel = self.folder / "wheels" / f"wanted-1.{value}-py3-none-any.whl"
        wheel.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(wheel, "w") as archive:
            for name, text in (files | {f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}).items():
                archive.writestr(name, text)
        return wheel

    def without(self, *modules: str) -> None:
        """Let `python -m <module>` fail, as where the system does not bring it."""
        hidden = self.folder / "hidden"
        hidden.mkdir(exist_ok=True)
        for module in modules:
            (hidden / f"{module}.py").write_text("raise SystemExit(1)\n")
        self.environ["PYTHONPATH"] = str(hidden)

    def popen(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [BASE_PYTHON, str(self.folder / "run.py"), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            env=self.environ,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        with self.popen(*arguments) as process:
            out, err = process.communicate()
        return process.returncode, out, err


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


PREPARING = "Preparing the Python environment (once; a minute or two) …\n"


@needs_venv
def test_makes_a_venv_once_and_hands_on_the_arguments(checkout: Checkout) -> None:
    assert checkout.run("--flag", "a b") == (0, "1 ['--flag', 'a b'] False\n", PREPARING)
    shutil.rmtree(checkout.folder / "wheels")  # the second run asks no installer
    assert checkout.run() == (0, "1 [] False\n", "")


@needs_venv
def test_a_changed_requirement_is_installed_and_a_half_made_environment_made_anew(
    checkout: Checkout,
) -> None:
    checkout.run()
    checkout.require(value=2)
    assert checkout.run() == (0, "2 [] False\n", PREPARING)

    (checkout.folder / ".venv" / "pushcore-unfinished").touch()
    (installed,) = checkout.folder.glob(".venv/lib/*/site-packages/wanted.py")
    installed.write_text("")  # pip trusts its own records and would leave that
    assert checkout.run() == (0, "2 [] False\n", PREPARING)


@needs_pip
def test_without_venv_it_installs_into_a_folder(checkout: Checkout) -> None:
    checkout.without("venv")
    assert checkout.run() == (0, "1 [] True\n", PREPARING)
    assert not (checkout.folder / ".venv").exists()
    shutil.rmtree(checkout.folder / "wheels")
    assert checkout.run() == (0, "1 [] True\n", "")
    checkout.require(value=2)
    assert checkout.run() == (0, "2 [] True\n", PREPARING)


def test_with_no_installer_it_says_what_to_install(checkout: Checkout) -> None:
    checkout.without("venv", "pip")
    status, out, err = checkout.run()
    assert (status, out) == (1, "")
    assert err == PREPARING + (
        "No way to make a Python environment: install one of uv, venv (Debian and Ubuntu:"
        f" apt-get install python3-venv) or pip for {BASE_PYTHON}.\n"
    )


@needs_pip
def test_two_at_once_make_one_environment(checkout: Checkout) -> None:
    checkout.without("venv")
    with checkout.popen() as first, checkout.popen() as second:
        said = [process.communicate() for process in (first, second)]
    assert [out for out, _ in said] == ["1 [] True\n"] * 2
    assert sum(PREPARING in err for _, err in said) == 1


@needs_pip
def test_an_unfit_package_is_refused_in_one_sentence(checkout: Checkout) -> None:
    checkout.without("venv")
    checkout.require(value=1, wrong_hash=True)
    status, out, err = checkout.run()
    assert (status, out) == (1, "")
    sentence = err.removeprefix(PREPARING)
    assert sentence.startswith("A downloaded package is not the one that was pinned. The ins")
    assert len(sentence.splitlines()) == 1
    checkout.require(value=1)
    assert checkout.run()[:2] == (0, "1 [] True\n")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_told(checkout: Checkout) -> None:
    checkout.folder.chmod(0o555)
    status, _, err = checkout.run()
    checkout.folder.chmod(0o755)
    assert status == 1
    assert err.startswith(f"The folder {checkout.folder}/.data cannot be written: Permission")


def test_an_old_python_can_read_it_and_gets_a_sentence(checkout: Checkout) -> None:
    source = (CHECKOUT / "scripts" / "bootstrap.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))
    pretend = f"import sys; sys.version_info = (3, 9, 2); sys.path[0] = {str(CHECKOUT)!r}"
    old = subprocess.run(
        [sys.executable, "-c", f"{pretend}; import scripts.bootstrap"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (old.returncode, old.stderr) == (
        1,
        "Pushcore needs Python 3.11 or newer, and this is 3.9: run this with a newer python3.\n",
    )
