"""`manage.py doctor`, as it is typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(__file__).parents[3]


def typed(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Type the command in a shell of its own, on a screen of 100 columns."""
    database = settings.DATABASES["default"]
    url = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database)
    known = {
        "DJANGO_SETTINGS_MODULE": "settings.dev",
        "DATABASE_URL": url,
        "REDIS_URL": settings.REDIS_URL,
        "COLUMNS": "100",
    }
    return subprocess.run(
        [sys.executable, "manage.py", "doctor", *words],
        cwd=ROOT,
        env=os.environ | known | environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.django_db(transaction=True)
def test_without_workers_and_beat_it_says_so_and_ends_with_2() -> None:
    done = typed("--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["status"]) == (2, "critical")
    levels = {one["check"]: one["level"] for one in told["findings"]}
    assert levels["database"] == levels["clocks"] == levels["queues"] == "ok"
    assert levels["workers"] == levels["beat"] == "critical"
    assert all(one["advice"] for one in told["findings"] if one["level"] != "ok")


@pytest.mark.django_db(transaction=True)
def test_with_the_broker_away_the_database_is_looked_at_all_the_same() -> None:
    done = typed(REDIS_URL="redis://:secret@127.0.0.1:1/0")
    assert done.returncode == 2
    assert "✓   database " in done.stdout
    assert "✗   queues " in done.stdout
    assert " \n" not in done.stdout
    assert "→ Start it, or mend REDIS_URL" in done.stdout
    assert done.stdout.count("The broker can't be asked") == 1
    assert "secret" not in done.stdout + done.stderr


def test_with_the_database_away_redis_is_looked_at_all_the_same() -> None:
    done = typed("--json", DATABASE_URL="postgres://u:secret@127.0.0.1:1/none")
    told = json.loads(done.stdout)
    levels = {one["check"]: one["level"] for one in told["findings"]}
    assert (done.returncode, levels["database"], levels["queues"]) == (2, "critical", "ok")
    assert "secret" not in done.stdout + done.stderr
