"""Access tokens and service accounts on their bad days: no outcome is lost, nothing is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings

from campaigns import services
from devices.credentials import encrypt_credentials
from loadtests.fcm_emulator.access import new_service_account
from tests.campaigns.provider.stage import Stage, account_of
from tests.cast import account

pytestmark = pytest.mark.django_db


def test_a_revoked_access_token_is_replaced_by_one_refresh_for_all_in_flight(stage: Stage) -> None:
    project = stage.project()
    stage.devices(project, ["e1.ok.first"])
    stage.send(stage.started())
    stage.control.revoke_access_tokens()
    stage.devices(project, [f"e1.ok.{number}" for number in range(60)])
    campaign = stage.started()

    stage.send(campaign)

    assert account(campaign) == {"total_recipients": 61, "sent_count": 61, "success_count": 61}
    assert stage.control.stats()["oauth_calls"] == 2
    assert stage.control.stats()["sends_after_final"] == 1  # the device of both campaigns


def test_a_refresh_that_fails_midway_loses_no_outcome(stage: Stage, settings: Settings) -> None:
    settings.FCM_IN_FLIGHT = 10
    addresses = [f"e1.slow.100.{number}" for number in range(100)]
    stage.devices(stage.project(), addresses)
    campaign = stage.started()

    def break_it() -> None:
        stage.control.configure(oauth_fail_next=5)
        stage.control.revoke_access_tokens()

    with stage.meanwhile(received=20, then=break_it):
        stage.send(campaign)

    accepted = sum(stage.control.counts(addresses))
    assert 0 < accepted < 100
    assert account(campaign)["success_count"] == accepted
    assert (campaign.status, stage.halts(campaign)) == ("processing", [""])

    stage.control.configure(oauth_fail_next=0)
    stage.clock.advance(60)
    stage.send_to_the_end(campaign)

    assert stage.control.counts(addresses) == [1] * 100
    assert account(campaign) == {"total_recipients": 100, "sent_count": 100, "success_count": 100}


def test_a_second_401_halts_the_project_after_one_refresh(stage: Stage) -> None:
    stage.control.configure(reject_access_tokens=True)
    stage.devices(stage.project(), ["e1.ok.1", "e1.ok.2"])
    campaign = stage.started()

    stage.send(campaign)

    assert campaign.status == "paused"
    assert campaign.status_reason.startswith("shop-one: ACCESS_TOKEN_TYPE_UNSUPPORTED ")
    assert account(campaign) == {"total_recipients": 2}
    assert stage.control.stats()["oauth_calls"] == 2
    assert stage.received() == 4


def test_a_key_that_google_holds_is_no_reason_to_refresh_ours(stage: Stage) -> None:
    stage.devices(stage.project(), [f"e1.third_party_auth.{n}" for n in range(30)], platform="ios")
    campaign = stage.started()

    stage.send(campaign)

    assert account(campaign) == {"total_recipients": 30, "sent_count": 30, "failure_count": 30}
    assert stage.control.stats()["oauth_calls"] == 1


def test_a_service_account_encrypted_at_rest_sends(stage: Stage, settings: Settings) -> None:
    settings.FERNET_KEYS = [Fernet.generate_key().decode()]
    project = stage.project()
    encrypt_credentials(project_id=project.project_id, fernet_keys=settings.FERNET_KEYS)
    Path(project.credentials.removeprefix("file:")).unlink()
    stage.devices(project, ["e1.ok.1"])
    campaign = stage.started()

    stage.send(campaign)

    assert account(campaign) == {"total_recipients": 1, "sent_count": 1, "success_count": 1}


def test_a_service_account_refused_halts_and_its_replaced_file_is_used_on_resuming(
    stage: Stage,
) -> None:
    project = stage.project()
    file = Path(project.credentials.removeprefix("file:"))
    stranger = new_service_account(project_id="shop-one", token_uri=stage.emulator.token_uri)
    file.write_text(json.dumps(stranger))
    stage.devices(project, ["e1.ok.1"])
    campaign = stage.started()

    stage.send(campaign)

    assert campaign.status == "paused"
    assert campaign.status_reason.startswith("shop-one: the provider gave no access token: ")
    assert stage.received() == 0

    file.write_text(json.dumps(account_of(stage.emulator.control_url, "shop-one")))
    services.resume_campaign(campaign_id=campaign.pk)
    stage.send(campaign)

    assert account(campaign) == {"total_recipients": 1, "sent_count": 1, "success_count": 1}


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("file:/nowhere/key.json", "/nowhere/key.json cannot be read: No such file or directory"),
        ("env:NOT_SET", "the environment variable NOT_SET is not set"),
    ],
)
def test_credentials_that_are_not_there_halt_the_project_and_say_which(
    stage: Stage, reference: str, words: str
) -> None:
    stage.devices(stage.project(credentials=reference), ["e1.ok.1"])
    campaign = stage.started()

    stage.send(campaign)

    assert (campaign.status, campaign.status_reason) == ("paused", f"shop-one: {words}")
    assert account(campaign) == {"total_recipients": 1}
