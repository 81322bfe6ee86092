"""Test messages in front of the emulated provider; an address says what it meets."""

from __future__ import annotations

import time

import pytest

from campaigns import trial
from campaigns.errors import FieldsRefused
from campaigns.models import DeliveryBatch, PushCampaign
from campaigns.trial import TrialResult, send_trial
from devices.models import DeviceToken
from tests.campaigns.provider.stage import Stage
from tests.cast import account, make_campaign, make_devices, make_project

pytestmark = pytest.mark.django_db


def results(stage: Stage, campaign: PushCampaign, **to: object) -> list[TrialResult]:
    return send_trial(campaign_id=campaign.pk, clock=stage.clock, **to)  # type: ignore[arg-type]


def outcomes(found: list[TrialResult]) -> list[tuple[str, str]]:
    return [(one.status, one.error) for one in found]


def complaints(refusal: pytest.ExceptionInfo[FieldsRefused]) -> list[tuple[str, str]]:
    return [(problem.field, problem.message) for problem in refusal.value.problems]


def test_a_test_reaches_the_devices_named_and_those_of_the_users_named(stage: Stage) -> None:
    project = stage.project()
    made = stage.devices(project, ["e1.ok.1", "e1.ok.2", "e1.ok.3"])
    [first, second, third] = made.values()
    DeviceToken.objects.filter(pk=second.pk).update(user_id="ann")
    campaign = make_campaign()
    found = results(stage, campaign, device_ids=[first.pk], user_ids=["ann"])
    assert [one.device_id for one in found] == [first.pk, second.pk]
    assert outcomes(found) == [("success", "")] * 2
    assert all(one.message_id for one in found)
    assert (found[1].user_id, found[1].project) == ("ann", project.project_id)
    assert stage.received() == 2
    assert third.pk not in [one.device_id for one in found]


def test_a_test_is_not_counted_in_the_campaign(stage: Stage) -> None:
    [device] = stage.devices(stage.project(), ["e1.ok.1"]).values()
    campaign = make_campaign()
    before = PushCampaign.objects.filter(pk=campaign.pk).values().get()
    results(stage, campaign, device_ids=[device.pk])
    assert PushCampaign.objects.filter(pk=campaign.pk).values().get() == before
    assert account(campaign) == {}
    assert not DeliveryBatch.objects.exists()


def test_each_device_has_its_own_outcome_and_nobody_is_deactivated(stage: Stage) -> None:
    addresses = ["e1.ok.1", "e1.unregistered.2", "e1.unavailable.3"]
    made = stage.devices(stage.project(), addresses)
    [gone] = stage.devices(DeviceToken.objects.get(address="e1.ok.1").project, ["e1.ok.4"]).values()
    DeviceToken.objects.filter(pk=gone.pk).update(is_active=False, inactive_reason="requested")
    ids = [device.pk for device in [*made.values(), gone]]
    found = results(stage, make_campaign(), device_ids=ids)
    assert outcomes(found) == [
        ("success", ""),
        ("invalid", "UNREGISTERED"),
        ("unknown", "UNAVAILABLE"),
        ("skipped", "INACTIVE"),
    ]
    assert DeviceToken.objects.filter(is_active=True).count() == 3


def test_a_test_goes_through_every_project_that_has_one_of_them(stage: Stage) -> None:
    [one] = stage.devices(stage.project("shop-one"), ["e1.ok.1"]).values()
    [two] = stage.devices(stage.project("shop-two"), ["e1.ok.2"]).values()
    found = results(stage, make_campaign(), device_ids=[two.pk, one.pk])
    assert [(each.project, each.status) for each in found] == [
        ("shop-one", "success"),
        ("shop-two", "success"),
    ]


def test_a_project_without_readable_credentials_is_told_of(stage: Stage) -> None:
    [good] = stage.devices(stage.project(), ["e1.ok.1"]).values()
    broken = make_project(credentials="file:/nowhere/key.json")
    [bad] = make_devices(broken, 1)
    found = results(stage, make_campaign(), device_ids=[good.pk, bad.pk])
    assert outcomes(found) == [("success", ""), ("skipped", "CREDENTIALS")]
    assert found[1].detail


def test_a_test_takes_its_place_in_the_quota_and_does_not_wait_for_ever(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "DEADLINE_S", 0.5)
    project = stage.project(quota_per_minute=1)
    made = stage.devices(project, ["e1.ok.1", "e1.ok.2", "e1.ok.3"])
    began = time.monotonic()
    found = results(stage, make_campaign(), device_ids=[device.pk for device in made.values()])
    assert outcomes(found) == [("success", ""), ("skipped", "NOT_SENT"), ("skipped", "NOT_SENT")]
    assert stage.received() == 1
    assert time.monotonic() - began < 5


def test_what_is_refused_beforehand_reaches_nobody(stage: Stage) -> None:
    [device] = stage.devices(stage.project(), ["e1.ok.1"]).values()
    DeviceToken.objects.filter(pk=device.pk).update(user_id="ann")
    campaign = make_campaign()
    nobody, unknown = device.pk + 1, "bob"
    refusals: list[tuple[dict[str, object], list[tuple[str, str]]]] = [
        ({}, [("device_ids", "Name devices, or users in `user_ids`.")]),
        (
            {"device_ids": [device.pk, nobody], "user_ids": [unknown]},
            [
                ("device_ids", f"There is no device {nobody}."),
                ("user_ids", f"“{unknown}” has no active device."),
            ],
        ),
    ]
    for to, expected in refusals:
        with pytest.raises(FieldsRefused) as refusal:
            results(stage, campaign, **to)
        assert complaints(refusal) == expected
    too_large = make_campaign(data_payload={"k": "v" * 4_096})
    with pytest.raises(FieldsRefused):
        results(stage, too_large, device_ids=[device.pk])
    assert stage.received() == 0


def test_a_user_with_more_devices_than_a_test_may_reach_is_refused(stage: Stage) -> None:
    make_devices(stage.project(), 101, user_id="ann")
    with pytest.raises(FieldsRefused, match="more than the 100 devices"):
        results(stage, make_campaign(), user_ids=["ann"])
    assert stage.received() == 0


def test_a_campaign_that_is_not_there_says_so(stage: Stage) -> None:
    with pytest.raises(PushCampaign.DoesNotExist):
        send_trial(campaign_id=7, device_ids=[1], clock=stage.clock)
