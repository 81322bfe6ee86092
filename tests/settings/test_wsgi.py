from __future__ import annotations

import os
import subprocess
import sys

LOADED = "import settings.wsgi, sys; print('campaigns.api.views' in sys.modules)"


def test_a_process_that_takes_calls_has_its_views_loaded() -> None:
    # In a process of its own: in this one they are loaded whatever the entry point does.
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOADED],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "settings.test"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "True"
