from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import gc, importlib, json, sys
importlib.import_module(sys.argv[1])
names = "campaigns.api.views", "campaigns.tasks", "celery.app.task", "kombu.transport.redis"
print(json.dumps({
    "is_loaded": [name in sys.modules for name in names],
    "frozen": gc.get_freeze_count(),
    "switch_interval": sys.getswitchinterval(),
}))
"""


@pytest.mark.parametrize("entry_point", ["settings.wsgi", "settings.asgi"])
def test_a_process_is_ready_before_its_first_call(entry_point: str) -> None:
    # In a process of its own: in this one all is loaded whatever the entry point does.
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, entry_point],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "settings.test"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    # What views and messages need is there, no collection looks at it, and a call that computes
    # lets the others go on soon.
    assert found["is_loaded"] == [True] * 4
    assert found["frozen"] > 100_000
    assert found["switch_interval"] == pytest.approx(0.0005)
