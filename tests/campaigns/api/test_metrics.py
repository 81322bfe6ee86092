from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from campaigns.models import AuditRun
from pushcore.metrics import SENDS
from tests.cast import NOW

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).parents[3]
PROMETHEUS = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*"


def test_the_staff_reads_the_metrics_as_text(staff: APIClient) -> None:
    SENDS.labels("metrics-page", "high", "success").inc(7)
    answer = staff.get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    line = 'pushcore_sends_total{outcome="success",priority="high",project="metrics-page"} 7.0'
    assert line in answer.content.decode().splitlines()


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (PROMETHEUS, "application/openmetrics-text"),
        ("text/plain", "text/plain"),
        ("text/html", "text/plain"),
    ],
)
def test_any_scraper_is_answered(staff: APIClient, accept: str, content_type: str) -> None:
    answer = staff.get("/metrics", headers={"Accept": accept})
    assert (answer.status_code, answer["Content-Type"].partition(";")[0]) == (200, content_type)


def test_others_are_refused(anonymous: APIClient, outsider: APIClient) -> None:
    assert anonymous.get("/metrics").status_code == 401
    assert outsider.get("/metrics").status_code == 403


def test_a_setting_opens_them_to_everybody(anonymous: APIClient, settings: Settings) -> None:
    settings.METRICS_OPEN = True
    assert anonymous.get("/metrics").status_code == 200


def test_the_last_audits_drift_is_shown_by_every_web_server(staff: APIClient) -> None:
    """Whichever worker looked: it stands in the database."""
    AuditRun.objects.create(pk=1, ran_at=NOW, drift={"7": 3, "9": 1})
    lines = staff.get("/metrics").content.decode().splitlines()
    assert "pushcore_account_drift_devices 4.0" in lines
    [at] = [line for line in lines if line.startswith("pushcore_account_audited_timestamp_seconds")]
    assert float(at.split()[1]) == NOW.timestamp()


CHILD = """
import os, signal
from pushcore.metrics import IN_FLIGHT, SENDS
IN_FLIGHT.labels("killed-worker").set(500)
SENDS.labels("killed-worker", "high", "success").inc(3)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_of_a_killed_process_remains_what_it_sent_and_nothing_in_flight(
    staff: APIClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(
        [sys.executable, "-c", CHILD],
        env={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
        check=False,
    )
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    lines = staff.get("/metrics").content.decode().splitlines()
    assert [line for line in lines if "killed-worker" in line] == [
        'pushcore_sends_total{outcome="success",priority="high",project="killed-worker"} 3.0'
    ]
