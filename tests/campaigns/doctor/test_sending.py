"""What is found with the provider, with campaigns, and with who is told."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from campaigns import engine, transitions
from campaigns.doctor.checks import campaigns as campaign_checks
from campaigns.doctor.checks import provider
from campaigns.doctor.findings import Finding
from campaigns.models import AuditRun
from campaigns.notifications.models import Channel, Delivery
from campaigns.notifications.standstill import watch_campaigns
from devices.models import FcmProject
from pushcore.outcomes import Outcome
from tests.campaigns.notifications.stage import mail_channel, tell
from tests.campaigns.provider.conftest import stage
from tests.campaigns.provider.stage import Stage
from tests.cast import NOW, make_project, planned, seconds_later, settle_all

__all__ = ["stage"]

pytestmark = pytest.mark.django_db


def told(found: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(finding.level.name, finding.title) for finding in found]


class TestProjects:
    def test_none_at_all_is_said(self) -> None:
        assert told(provider.check_projects(NOW)) == [
            ("WARNING", "There is no FCM project: nothing can be sent.")
        ]

    def test_one_that_lets_us_in_is_fine_and_nobody_is_sent_anything(self, stage: Stage) -> None:
        stage.devices(stage.project(), ["e1.ok.1"])
        assert told(provider.check_projects(stage.clock())) == [
            ("OK", "shop-one: FCM takes our messages.")
        ]
        stats = stage.control.stats()
        assert (stats["validated_only"], stats["accepted"]) == (1, 0)

    def test_one_without_devices_gets_its_token_looked_at(self, stage: Stage) -> None:
        stage.project()
        assert told(provider.check_projects(stage.clock())) == [
            ("OK", "shop-one: the service account is taken; no device to try a message with.")
        ]

    def test_one_that_refuses_us_is_told_with_its_words(self, stage: Stage) -> None:
        stage.devices(stage.project(), ["e1.ok.1"])
        stage.control.configure(project_faults={"*": "permission_denied"})
        [(level, title)] = told(provider.check_projects(stage.clock()))
        assert level == "CRITICAL"
        assert title.startswith("shop-one refuses us: IAM_PERMISSION_DENIED")

    def test_credentials_that_lead_nowhere_are_told_each_apart(
        self, stage: Stage, tmp_path: Path
    ) -> None:
        stage.project()
        make_project(project_id="lost", credentials=f"file:{tmp_path}/none.json")
        fine, lost = told(provider.check_projects(stage.clock()))
        assert fine[0] == "OK"
        assert lost == (
            "CRITICAL",
            f"lost: {tmp_path}/none.json cannot be read: No such file or directory",
        )

    def test_no_secret_is_shown(self, stage: Stage) -> None:
        project = stage.project()
        key = json.loads(Path(project.credentials.removeprefix("file:")).read_text())
        shown = str(provider.check_projects(stage.clock()))
        assert key["private_key"][40:80] not in shown


class TestQuota:
    def test_what_the_last_minute_used_is_counted(self, stage: Stage) -> None:
        _, [batch] = planned(3)
        settle_all(batch, Outcome.SUCCESS, now=NOW)
        project = FcmProject.objects.get()
        words = f"{project.project_id}: 3 of 600,000 a minute."
        assert told(provider.check_quota(seconds_later(59))) == [("OK", words)]
        assert told(provider.check_quota(seconds_later(61)))[0][1].split()[1] == "0"

    def test_a_project_that_was_refused_is_named(self, stage: Stage) -> None:
        project = stage.project(quota_per_minute=600_000)
        engine.line_of(project).pacer.penalise(30)
        [(level, title)] = told(provider.check_quota(NOW))
        assert level == "WARNING"
        assert re.fullmatch(r"shop-one is out of quota for (29|30) s\.", title)


class TestCampaigns:
    def test_what_moves_is_fine(self) -> None:
        planned(2)
        assert told(campaign_checks.check_progress(NOW)) == [
            ("OK", "Campaigns being sent: 1; none stands still.")
        ]

    def test_what_stands_still_is_named(self) -> None:
        campaign, _ = planned(2)
        watch_campaigns(now=NOW)
        assert told(campaign_checks.check_progress(seconds_later(300))) == [
            ("CRITICAL", f"Campaign {campaign.pk} has not moved since 12:00:00 UTC.")
        ]

    def test_what_a_refusal_holds_up_is_named_with_the_reason(self) -> None:
        campaign, [batch] = planned(2)
        transitions.halt_project(project_id=batch.project_id, reason="no permission")
        assert told(campaign_checks.check_progress(NOW)) == [
            ("WARNING", f"Campaign {campaign.pk} is held up: no permission")
        ]


class TestAccounts:
    def test_an_audit_that_does_not_run_is_found(self) -> None:
        late = ("WARNING", "The regular audit has not run for five minutes.")
        assert told(campaign_checks.check_accounts(NOW)) == [late]
        AuditRun.objects.create(pk=1, ran_at=NOW)
        assert told(campaign_checks.check_accounts(seconds_later(301))) == [late]

    def test_a_drift_is_critical(self) -> None:
        run = AuditRun.objects.create(pk=1, ran_at=NOW)
        assert told(campaign_checks.check_accounts(NOW)) == [("OK", "Counters and ledger agree.")]
        run.drift = {"12": 1, "7": 3}
        run.save()
        assert told(campaign_checks.check_accounts(NOW)) == [
            ("CRITICAL", "The ledger contradicts the counters of campaigns 7, 12.")
        ]


class TestNotifications:
    def test_nobody_to_tell_is_fine(self) -> None:
        assert told(campaign_checks.check_notifications(NOW)) == [
            ("OK", "Everybody who wants to be told is.")
        ]

    def test_channels_that_nothing_reaches_are_named(self, settings: Settings) -> None:
        settings.PUBLIC_URL = "https://push.example.com"
        off, failing, fine = (mail_channel(f"{name}@example.com", name=name) for name in "abc")
        Channel.objects.filter(pk=off.pk).update(is_active=False, disabled_reason="gone")
        Channel.objects.filter(pk=failing.pk).update(failing_since=NOW - timedelta(hours=1))
        assert told(campaign_checks.check_notifications(NOW)) == [
            ("WARNING", "Notification channel “a” is off: gone"),
            ("WARNING", "Nothing has reached notification channel “b” for an hour."),
        ]
        assert fine.is_active

    def test_notices_that_nobody_delivers_are_found(self, settings: Settings) -> None:
        settings.PUBLIC_URL = "https://push.example.com"
        mail_channel()
        tell()
        Delivery.objects.update(due_at=NOW)
        assert told(campaign_checks.check_notifications(seconds_later(299)))[0][0] == "OK"
        assert told(campaign_checks.check_notifications(seconds_later(300))) == [
            ("WARNING", "Notices that are due for five minutes and not delivered: 1.")
        ]

    def test_mails_without_a_way_out_are_found(self, settings: Settings) -> None:
        settings.PUBLIC_URL = ""
        mail_channel()
        assert told(campaign_checks.check_notifications(NOW)) == [
            ("WARNING", "E-mails have no links, and nobody can unsubscribe from them.")
        ]
