from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from scripts.demo_run.children import Child, Children
from scripts.demo_run.errors import DemoError
from scripts.demo_run.memory import PeakMemory, memory_of
from scripts.embedded.folders import CHECKOUT

PARENT = """
import sys, time
from pathlib import Path
from scripts.demo_run.children import Children
with Children(logs=Path(sys.argv[1]), environment={"PYTHONPATH": sys.argv[1]}) as children:
    print(children.start("idler", "idle").process.pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    (tmp_path / "idle.py").write_text("import time; print('ready', flush=True); time.sleep(600)")
    (tmp_path / "die.py").write_text("import sys; sys.exit('no luck today')")
    (tmp_path / "deaf.py").write_text(
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(subprocess.Popen([sys.executable, '-m', 'idle']).pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    return tmp_path


def children(folder: Path) -> Children:
    return Children(logs=folder, environment=os.environ | {"PYTHONPATH": str(folder)})


def wait_for_line(child: Child) -> str:
    while child.process.poll() is None:
        if "\n" in (text := child.log.read_text()):
            return text.splitlines()[0]
    raise AssertionError(child.log.read_text())


def test_they_end_with_the_block_and_write_logs(programs: Path) -> None:
    with children(programs) as running:
        child = running.start("idler", "idle")
        assert wait_for_line(child) == "ready"
        running.check()
        assert child.process.poll() is None
    assert child.process.returncode == -signal.SIGTERM
    assert (programs / "idler.log").read_text() == "ready\n"


def test_one_that_died_is_told_with_its_last_words(programs: Path) -> None:
    with children(programs) as running:
        running.start("web", "die").process.wait()
        with pytest.raises(DemoError, match=r"The web ended: no luck today \(log: .*web\.log\)"):
            running.check()


def test_one_that_does_not_listen_is_killed_with_all_below_it(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.demo_run.children.STOP_TIMEOUT_S", 0.2)
    with children(programs) as running:
        child = running.start("deaf", "deaf")
        below = psutil.Process(int(wait_for_line(child)))
    assert child.process.returncode == -signal.SIGKILL
    assert psutil.wait_procs([below], timeout=5)[1] == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a child")
def test_they_end_with_a_killed_parent(programs: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(programs)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
    )
    assert parent.stdout is not None
    with parent.stdout:
        child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    assert psutil.wait_procs([child], timeout=5)[1] == []


def test_shared_pages_count_once(programs: Path) -> None:
    with children(programs) as running:
        child = running.start("idler", "idle")
        wait_for_line(child)
        with PeakMemory(child.process.pid) as memory:
            pass
        assert 0 < memory_of(psutil.Process(child.process.pid)) < 200 * 2**20
    assert 0 < memory.peak_bytes < 200 * 2**20


def test_a_process_that_is_gone_takes_no_memory(programs: Path) -> None:
    with children(programs) as running:
        child = running.start("idler", "idle")
        process = psutil.Process(child.process.pid)
    assert memory_of(process) == 0
