"""What stops more than one device: the canary before the fan-out, the breakers within it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pytest_django import Settings

from campaigns import services
from devices.models import DeviceToken
from tests.campaigns.provider.stage import Stage, log
from tests.cast import account

pytestmark = pytest.mark.django_db

PROJECT_FAULTS = [
    ("not_found", "NOT_FOUND"),
    ("permission_denied", "IAM_PERMISSION_DENIED"),
    ("unauthenticated", "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
]
RED = {"android": {"notification": {"color": "red"}}}


def oks(count: int, prefix: str = "") -> list[str]:
    return [f"e1.ok.{prefix}{number}" for number in range(count)]


class TestPreflight:
    def test_a_payload_that_the_provider_refuses_fails_before_anybody_is_sent_to(
        self, stage: Stage
    ) -> None:
        stage.devices(stage.project(), oks(3))

        campaign = stage.launched(platform_overrides=RED)

        assert (campaign.status, campaign.status_reason) == (
            "failed",
            "INVALID_ARGUMENT Invalid color: it must be #rrggbb.",
        )
        assert account(campaign) == {}
        assert stage.control.stats()["accepted"] == 0
        assert DeviceToken.objects.filter(is_active=True).count() == 3

    def test_the_canaries_are_delivered_to_nobody(self, stage: Stage) -> None:
        project = stage.project()
        for platform in ("android", "ios", "web"):
            stage.devices(project, oks(5, platform), platform=platform)

        campaign = stage.launched()

        assert account(campaign) == {"total_recipients": 15}
        stats = stage.control.stats()
        assert (stats["validated_only"], stats["accepted"]) == (9, 0)

    @pytest.mark.parametrize(("fault", "code"), PROJECT_FAULTS)
    def test_a_refused_project_pauses_with_the_reason_until_a_person_resumes(
        self, stage: Stage, fault: str, code: str
    ) -> None:
        stage.control.configure(project_faults={"*": fault})
        stage.devices(stage.project(), oks(3))

        campaign = stage.launched()

        assert campaign.status == "paused"
        assert campaign.status_reason.startswith(f"shop-one: {code} ")
        assert stage.control.stats()["accepted"] == 0

        stage.control.configure(project_faults={})
        services.resume_campaign(campaign_id=campaign.pk)
        stage.plan(campaign)
        stage.send_to_the_end(campaign)

        assert stage.halts(campaign) == [""]
        assert account(campaign) == {"total_recipients": 3, "sent_count": 3, "success_count": 3}

    def test_an_access_token_that_cannot_be_fetched_for_now_holds_nothing_up(
        self, stage: Stage
    ) -> None:
        project = stage.project()
        file = Path(project.credentials.removeprefix("file:"))
        nobody_there = json.loads(file.read_text()) | {"token_uri": "https://127.0.0.1:1/token"}
        file.write_text(json.dumps(nobody_there))
        stage.devices(project, oks(3))

        campaign = stage.launched()

        assert (campaign.status, account(campaign)) == ("processing", {"total_recipients": 3})


class TestProject:
    @pytest.mark.parametrize(("fault", "code"), PROJECT_FAULTS)
    def test_a_refusal_while_sending_halts_every_campaign_over_the_project(
        self, stage: Stage, fault: str, code: str
    ) -> None:
        stage.devices(stage.project(), oks(3))
        campaign, other = stage.started(), stage.started()
        stage.control.configure(project_faults={"*": fault})

        stage.send(campaign)
        seen = stage.received()
        stage.send(other)

        assert (campaign.status, other.status) == ("paused", "paused")
        assert other.status_reason.startswith(f"shop-one: {code} ")
        assert stage.received() == seen

    def test_it_stops_within_what_is_in_flight(self, stage: Stage, settings: Settings) -> None:
        settings.FCM_IN_FLIGHT = 20
        settings.BATCH_SIZE = 100
        stage.devices(stage.project(), oks(300))
        campaign = stage.started()
        stage.control.configure(project_faults={"*": "permission_denied"})

        stage.send(campaign)

        assert 1 <= stage.received() <= 20 + 20
        assert account(campaign) == {"total_recipients": 300}

    def test_after_resuming_whoever_waited_is_sent_to_once(
        self, stage: Stage, settings: Settings
    ) -> None:
        settings.BATCH_SIZE = 20
        addresses = oks(50)
        stage.devices(stage.project(), addresses)
        campaign = stage.started()
        stage.control.configure(project_faults={"*": "permission_denied"})
        stage.send(campaign)

        stage.control.configure(project_faults={})
        services.resume_campaign(campaign_id=campaign.pk)
        stage.clock.advance(30)
        stage.send_to_the_end(campaign)

        assert stage.control.counts(addresses) == [1] * 50
        assert account(campaign) == {"total_recipients": 50, "sent_count": 50, "success_count": 50}


class TestPayload:
    def test_it_stops_within_what_is_in_flight(self, stage: Stage, settings: Settings) -> None:
        settings.FCM_IN_FLIGHT = 20
        settings.BATCH_SIZE = 100
        stage.devices(stage.project(), ["e1.payload.1", *oks(299)])
        campaign = stage.started()

        stage.send(campaign)

        assert campaign.status == "failed"
        assert stage.received() <= 20 + 20
        counters = account(campaign)
        assert counters["failure_count"] == 1
        assert counters["sent_count"] + counters["skipped_count"] == 300


class TestPlatform:
    def test_a_broken_key_fails_that_platform_alone(self, stage: Stage) -> None:
        project = stage.project()
        refused = [f"e1.third_party_auth.{number}" for number in range(30)]
        stage.devices(project, refused, platform="ios")
        stage.devices(project, oks(30), platform="android")
        campaign = stage.started()

        stage.send(campaign)

        assert {log(campaign)[address][:2] for address in refused} == {
            ("failed", "THIRD_PARTY_AUTH_ERROR")
        }
        assert {log(campaign)[address][:2] for address in oks(30)} == {("success", "")}
        assert DeviceToken.objects.filter(is_active=False).count() == 0
        assert stage.halts(campaign) == [""]

    def test_its_next_batches_fail_unasked(self, stage: Stage, settings: Settings) -> None:
        settings.BATCH_SIZE = 30
        project = stage.project()
        stage.devices(project, [f"e1.third_party_auth.{n}" for n in range(60)], platform="ios")
        campaign = stage.started()

        stage.send(campaign)

        assert stage.received() == 30
        assert account(campaign) == {"total_recipients": 60, "sent_count": 60, "failure_count": 60}


class TestMismatches:
    def test_a_large_share_pauses_the_project(self, stage: Stage, settings: Settings) -> None:
        settings.FCM_IN_FLIGHT = 20
        strangers = [f"e1.mismatch.{number}" for number in range(200)]
        stage.devices(stage.project(), strangers)
        campaign = stage.started()

        stage.send(campaign)

        assert (campaign.status, campaign.status_reason) == (
            "paused",
            "shop-one: SENDER_ID_MISMATCH",
        )
        assert 50 <= account(campaign)["failure_count"] <= 50 + 20
        assert DeviceToken.objects.filter(is_active=False).count() == 0

    def test_a_small_share_is_those_devices_affair(self, stage: Stage) -> None:
        strangers = [f"e1.mismatch.{number}" for number in range(40)]
        stage.devices(stage.project(), [*oks(60), *strangers])
        campaign = stage.started()

        stage.send(campaign)

        assert stage.halts(campaign) == [""]
        assert account(campaign) == {
            "total_recipients": 100,
            "sent_count": 100,
            "success_count": 60,
            "failure_count": 40,
        }

    def test_share_and_minimum_are_settings(self, stage: Stage, settings: Settings) -> None:
        settings.MISMATCH_SHARE, settings.MISMATCH_MINIMUM = 0.1, 10
        stage.devices(stage.project(), [*oks(17), "e1.mismatch.1", "e1.mismatch.2"])
        campaign = stage.started()

        stage.send(campaign)

        assert stage.halts(campaign) == ["shop-one: SENDER_ID_MISMATCH"]
