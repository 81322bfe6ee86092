"""Each row of the error table, from the wire to the ledger, the counters and the device."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from devices.models import DeviceToken
from tests.campaigns.provider.stage import Stage, log, only_batch
from tests.cast import account

pytestmark = pytest.mark.django_db

FINAL = {
    "e1.ok.1": ("success", "", True),
    "e1.unregistered.1": ("invalid", "UNREGISTERED", False),
    "e1.unregistered_apns.1": ("invalid", "UNREGISTERED", False),
    "e1.bad_token.1": ("invalid", "INVALID_ARGUMENT", False),
    "e1.bad_token_bare.1": ("invalid", "INVALID_ARGUMENT", False),
    "e1.apns_gone.1": ("invalid", "UNREGISTERED", False),
    "e1.mismatch.1": ("failed", "SENDER_ID_MISMATCH", True),
    "e1.third_party_auth.1": ("failed", "THIRD_PARTY_AUTH_ERROR", True),
}
PASSING = {
    "e1.unavailable.1": "UNAVAILABLE",
    "e1.internal.1": "INTERNAL",
    "e1.bad_gateway.1": "HTTP_502",
    "e1.gateway_timeout.1": "HTTP_504",
    "e1.quota_device.1": "QUOTA_EXCEEDED",
    "e1.accept_unavailable.1": "UNAVAILABLE",
}
ON_THE_WIRE = {
    "e1.reset.1": "CONNECTION_BROKEN",
    "e1.accept_reset.1": "CONNECTION_BROKEN",
    "e1.hang.1": "TIMEOUT",
    "e1.accept_hang.1": "TIMEOUT",
}
CUT = ["e1.drop.1", "e1.accept_drop.1"]


def test_what_is_final_lands_and_only_proven_dead_addresses_are_deactivated(stage: Stage) -> None:
    stage.devices(stage.project(), FINAL)
    campaign = stage.started()

    stage.send(campaign)

    assert log(campaign) == FINAL
    assert account(campaign) == {
        "total_recipients": 8,
        "sent_count": 8,
        "success_count": 1,
        "failure_count": 7,
        "invalid_count": 5,
    }
    reasons = DeviceToken.objects.filter(is_active=False).values_list("inactive_reason", flat=True)
    assert list(reasons) == ["dead_address"] * 5
    assert (campaign.status, stage.halts(campaign)) == ("processing", [""])
    assert stage.control.counts(list(FINAL)) == [1, 0, 0, 0, 0, 0, 0, 0]


def test_what_passes_waits_and_touches_no_device(stage: Stage) -> None:
    stage.devices(stage.project(), PASSING)
    campaign = stage.started()

    stage.send(campaign)

    waiting = stage.waiting(campaign)
    assert {address: kept.code for address, kept in waiting.items()} == PASSING
    assert {kept.attempts for kept in waiting.values()} == {1}
    assert {address for address, kept in waiting.items() if not kept.ambiguous} == {
        "e1.quota_device.1"
    }
    assert account(campaign) == {"total_recipients": 6}
    assert log(campaign) == dict.fromkeys(PASSING, ("pending", "", True))

    stage.send_to_the_end(campaign)

    assert log(campaign) == dict.fromkeys(PASSING, ("success", "", True))
    assert account(campaign) == {"total_recipients": 6, "sent_count": 6, "success_count": 6}


def test_a_wire_that_breaks_leaves_what_may_have_been_accepted_waiting(wire_stage: Stage) -> None:
    wire_stage.devices(wire_stage.project(), ON_THE_WIRE)
    campaign = wire_stage.started()

    wire_stage.send(campaign)

    waiting = wire_stage.waiting(campaign)
    assert {address: kept.code for address, kept in waiting.items()} == ON_THE_WIRE
    assert all(kept.ambiguous and kept.attempts == 1 for kept in waiting.values())


@pytest.mark.parametrize("address", CUT)
def test_a_connection_that_is_cut_leaves_all_that_was_in_flight_on_it_waiting(
    wire_stage: Stage, settings: Settings, address: str
) -> None:
    settings.FCM_CONNECTIONS = 1
    beside = [f"e1.slow.300.{number}" for number in range(5)]
    wire_stage.devices(wire_stage.project(), [*beside, address])
    campaign = wire_stage.started()

    wire_stage.send(campaign)

    waiting = wire_stage.waiting(campaign)
    assert {kept.code for kept in waiting.values()} == {"CONNECTION_BROKEN"}
    assert sorted(waiting) == sorted([*beside, address])
    assert all(kept.ambiguous and kept.attempts == 1 for kept in waiting.values())


def test_an_installation_id_lives_and_dies_as_a_token_does(stage: Stage) -> None:
    addresses = ["e1.ok.fid", "e1.bad_token.fid", "e1.unregistered.fid"]
    stage.devices(stage.project(), addresses, address_kind="fid")
    campaign = stage.started()

    stage.send(campaign)

    assert log(campaign) == {
        "e1.ok.fid": ("success", "", True),
        "e1.bad_token.fid": ("invalid", "INVALID_ARGUMENT", False),
        "e1.unregistered.fid": ("invalid", "UNREGISTERED", False),
    }
    [request] = stage.control.messages("e1.ok.fid")
    assert request["message"]["fid"] == "e1.ok.fid"


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("payload", "INVALID_ARGUMENT Invalid color: it must be #rrggbb."),
        ("too_big", "INVALID_ARGUMENT Message is too big: Android payloads hold 4096 bytes."),
    ],
)
def test_a_payload_refused_while_sending_fails_the_campaign_and_touches_no_device(
    stage: Stage, behaviour: str, words: str
) -> None:
    stage.devices(stage.project(), [f"e1.{behaviour}.1"])
    campaign = stage.started()

    stage.send(campaign)

    assert (campaign.status, campaign.status_reason) == ("failed", words)
    assert log(campaign) == {f"e1.{behaviour}.1": ("failed", "INVALID_ARGUMENT", True)}
    assert account(campaign) == {"total_recipients": 1, "sent_count": 1, "failure_count": 1}


def test_the_rest_of_a_campaign_whose_payload_is_refused_is_skipped(
    stage: Stage, settings: Settings
) -> None:
    settings.BATCH_SIZE = 2
    stage.devices(stage.project(), ["e1.payload.1", "e1.unavailable.1", "e1.ok.1", "e1.ok.2"])
    campaign = stage.started()

    stage.send(campaign)

    assert campaign.status == "failed"
    assert log(campaign) == {
        "e1.payload.1": ("failed", "INVALID_ARGUMENT", True),
        "e1.unavailable.1": ("unknown", "", True),
        "e1.ok.1": ("skipped", "", True),
        "e1.ok.2": ("skipped", "", True),
    }
    assert stage.control.counts(["e1.ok.1", "e1.ok.2"]) == [0, 0]


@pytest.mark.parametrize(
    ("fault", "code"),
    [("not_found", "NOT_FOUND"), ("permission_denied", "IAM_PERMISSION_DENIED")],
)
def test_a_refused_project_pauses_the_campaign_and_settles_nobody(
    stage: Stage, fault: str, code: str
) -> None:
    stage.control.configure(project_faults={"*": fault})
    stage.devices(stage.project(), ["e1.ok.1", "e1.ok.2"])
    campaign = stage.started()

    stage.send(campaign)

    assert (campaign.status, account(campaign)) == ("paused", {"total_recipients": 2})
    assert campaign.status_reason.startswith(f"shop-one: {code} ")
    assert log(campaign) == dict.fromkeys(["e1.ok.1", "e1.ok.2"], ("pending", "", True))
    assert {kept.attempts for kept in stage.waiting(campaign).values()} == {0}


def test_a_429_of_the_project_waits_as_long_as_it_says_and_counts_no_attempt(
    stage: Stage,
) -> None:
    stage.devices(stage.project(), ["e1.quota_project.1.90.x"])
    campaign = stage.started()
    before = stage.clock().timestamp()

    stage.send(campaign)

    kept = stage.waiting(campaign)["e1.quota_project.1.90.x"]
    assert (kept.code, kept.attempts, kept.ambiguous) == ("RATE_LIMIT_EXCEEDED", 0, False)
    assert before + 90 <= kept.due <= before + 90 + 10 + 10
    retry_at = only_batch(campaign).retry_at
    assert retry_at is not None
    assert retry_at.timestamp() >= before + 90
