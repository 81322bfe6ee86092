"""No log and no answer of ours holds a whole device address, a bearer token or a private key."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from campaigns.models import DeliveryBatch, PushCampaign
from campaigns.tasks import send_push_batch
from devices.models import FcmProject
from tests.campaigns.provider.stage import Stage
from tests.pushcore.transports.wire import WireServer

pytestmark = pytest.mark.django_db

BEHAVIOURS = [
    "ok",
    "unregistered",
    "bad_token",
    "mismatch",
    "third_party_auth",
    "unavailable",
    "bad_gateway",
    "quota_device",
    "quota_project.1.1",
    "payload",
]
# As long and as mixed as real ones are.
TAIL = "dGhpcyBpcyBub3QgYSB0b2tlbg-0123456789_APA91bE" * 3
BEARER = re.compile(r"ya29\.[A-Za-z0-9_-]{8}|Bearer (?!ya29\.\[redacted\])[A-Za-z0-9._-]{8}")


def addresses() -> list[str]:
    return [f"e1.{behaviour}.{TAIL}" for behaviour in BEHAVIOURS]


def run_as_tasks(campaign: PushCampaign) -> None:
    """Send by Celery's own task, so that its loggers have their say too."""
    for batch_id in DeliveryBatch.objects.filter(campaign=campaign).values_list("pk", flat=True):
        send_push_batch.apply(args=(batch_id,))


@pytest.fixture
def every_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> pytest.LogCaptureFixture:
    """All that anybody logs in this process, but for the test's own HTTP/2 server."""
    # Google's client libraries keep what they log to themselves from their first use on, unless
    # their logger has a level by then.
    monkeypatch.setattr(logging.getLogger("google"), "propagate", True)
    caplog.set_level(logging.DEBUG, logger="google")
    caplog.set_level(logging.INFO, logger="hpack")
    # Last, as a level is the capturing handler's too.
    caplog.set_level(logging.DEBUG, logger="celery.app.trace")
    caplog.set_level(logging.DEBUG)
    return caplog


def assert_silent(text: str) -> None:
    assert TAIL[:40] not in text
    assert not BEARER.search(text)
    assert "PRIVATE KEY" not in text


def test_the_logs_of_every_kind_of_answer_are_silent(
    stage: Stage, every_log: pytest.LogCaptureFixture
) -> None:
    stage.devices(stage.project(), addresses())
    run_as_tasks(stage.launched())
    stage.control.revoke_access_tokens()
    run_as_tasks(stage.launched())
    stage.control.configure(project_faults={"*": "permission_denied"})
    run_as_tasks(stage.started())
    FcmProject.objects.update(credentials="file:/nowhere")
    run_as_tasks(stage.started())

    loggers = {record.name.partition(".")[0] for record in every_log.records}
    assert {"campaigns", "celery", "google", "urllib3"} <= loggers
    assert_silent(every_log.text)


def test_a_provider_that_repeats_our_message_and_token_is_not_quoted(
    stage: Stage,
    settings: Settings,
    every_log: pytest.LogCaptureFixture,
    admin_client: APIClient,
) -> None:
    with WireServer() as server:
        settings.FCM_ENDPOINT = server.endpoint
        stage.devices(stage.project("demo"), [f"echo.{TAIL}"])
        campaign = stage.started()
        run_as_tasks(campaign)

    campaign.refresh_from_db()
    assert campaign.status == "failed"
    assert "[redacted]" in campaign.status_reason
    stored = json.dumps(DeliveryBatch.objects.get(campaign=campaign).errors)
    stats = admin_client.get(f"/api/campaigns/{campaign.pk}/stats/").content.decode()
    for text in (every_log.text, campaign.status_reason, stored, stats):
        assert_silent(text)


def test_the_api_never_shows_a_projects_credentials(stage: Stage, admin_client: APIClient) -> None:
    project = stage.project()
    stage.devices(project, ["e1.ok.1"])
    campaign = stage.launched()
    run_as_tasks(campaign)

    for page in ("", "stats/"):
        answer = admin_client.get(f"/api/campaigns/{campaign.pk}/{page}").content.decode()
        assert Path(project.credentials).name not in answer
        assert_silent(answer)
