from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from pytest_django import DjangoAssertNumQueries

from campaigns import transitions
from campaigns.audit import Drift, audit_lately, find_drift
from campaigns.ledger import settle_held_batch
from campaigns.models import AuditRun, DeliveryBatch, PushCampaign
from pushcore.outcomes import Outcome
from tests.cast import (
    NOW,
    claim,
    make_campaign,
    make_devices,
    make_project,
    planned,
    seconds_later,
    settle_all,
    start_and_plan,
)

pytestmark = pytest.mark.django_db


def campaign_with_every_outcome() -> PushCampaign:
    make_devices(make_project(), len(Outcome))
    campaign = make_campaign()
    [batch] = start_and_plan(campaign)
    entry = claim(batch)
    for outcome in Outcome:
        if outcome != Outcome.PENDING:
            code = "" if outcome == Outcome.SUCCESS else "WHY"
            entry.settle_device(int(outcome), outcome, code=code)
    assert settle_held_batch(entry, now=NOW)
    return campaign


def spoil(campaign: PushCampaign, **changes: object) -> None:
    PushCampaign.objects.filter(pk=campaign.pk).update(**changes)


def test_an_exact_account_does_not_drift() -> None:
    campaign_with_every_outcome()
    make_campaign()
    assert find_drift() == []


def test_an_account_is_exact_while_batches_wait_or_are_being_sent() -> None:
    make_devices(make_project(), 1_100)
    settled, sending, _ = start_and_plan(make_campaign())
    settle_all(settled, Outcome.SUCCESS)
    claim(sending)
    assert find_drift() == []


def test_a_counter_that_the_ledger_contradicts_is_found() -> None:
    campaign = campaign_with_every_outcome()
    spoil(
        campaign,
        total_recipients=F("total_recipients") + 2,
        success_count=F("success_count") + 1,
        sent_count=F("sent_count") + 1,
    )
    assert find_drift() == [
        Drift(campaign.pk, "total_recipients", 8, 6),
        Drift(campaign.pk, "sent_count", 5, 4),
        Drift(campaign.pk, "success_count", 2, 1),
    ]


@pytest.mark.parametrize(
    ("counter", "also"),
    [
        ("failure_count", ["sent_count"]),
        ("unknown_count", ["sent_count"]),
        ("skipped_count", []),
    ],
)
def test_every_counter_is_recounted(counter: str, also: list[str]) -> None:
    campaign = campaign_with_every_outcome()
    spoil(campaign, **{name: F(name) + 1 for name in [counter, *also]})
    assert {drift.what for drift in find_drift()} == {counter, *also}


def test_dead_addresses_are_recounted() -> None:
    campaign = campaign_with_every_outcome()
    spoil(campaign, invalid_count=0)
    assert find_drift() == [Drift(campaign.pk, "invalid_count", 0, 1)]


def test_a_counter_without_any_ledger_is_found() -> None:
    campaign = make_campaign()
    spoil(campaign, total_recipients=3)
    assert find_drift() == [Drift(campaign.pk, "total_recipients", 3, 0)]


def test_a_batch_whose_counts_are_not_those_of_its_outcomes_is_found() -> None:
    campaign = campaign_with_every_outcome()
    DeliveryBatch.objects.update(success_count=2, unknown_count=0)
    assert find_drift() == [Drift(campaign.pk, "batches", 1, 0)]


def test_a_device_in_two_batches_is_found() -> None:
    make_devices(make_project(), 501)
    campaign = make_campaign()
    first, second = start_and_plan(campaign)
    DeliveryBatch.objects.filter(pk=second.pk).update(device_ids=first.device_ids[:1])
    assert find_drift() == [Drift(campaign.pk, "devices", 501, 500)]


def test_one_campaign_can_be_audited_alone() -> None:
    sound, spoilt = make_campaign(), make_campaign()
    spoil(spoilt, total_recipients=1)
    assert find_drift(campaign_id=sound.pk) == []
    assert len(find_drift(campaign_id=spoilt.pk)) == 1


def test_an_audit_is_one_statement(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        find_drift()


def audit(*arguments: str) -> tuple[int, str]:
    """Run the command; return its exit status and what it printed."""
    printed = StringIO()
    try:
        call_command("audit", *arguments, stdout=printed)
    except CommandError as refusal:
        return refusal.returncode, printed.getvalue()
    return 0, printed.getvalue()


def test_the_command_says_that_all_is_exact() -> None:
    campaign_with_every_outcome()
    make_campaign()
    assert audit() == (0, "Campaigns audited: 2. Every number is exact.\n")


def test_the_command_prints_what_drifts_and_fails() -> None:
    campaign = make_campaign()
    spoil(campaign, total_recipients=1_234)
    status, printed = audit(str(campaign.pk))
    header, row = printed.splitlines()
    assert status == 1
    assert header.split() == ["campaign", "what", "recorded", "recounted"]
    assert row.split() == [str(campaign.pk), "total_recipients", "1,234", "0"]


def test_the_command_speaks_json() -> None:
    campaign = make_campaign()
    assert audit("--json") == (0, '{"campaigns": 1, "drift": []}\n')
    spoil(campaign, total_recipients=7)
    status, printed = audit("--json")
    found = {
        "campaign_id": campaign.pk,
        "what": "total_recipients",
        "recorded": 7,
        "recounted": 0,
    }
    assert (status, json.loads(printed)) == (1, {"campaigns": 1, "drift": [found]})


def test_the_command_refuses_a_campaign_that_is_not_there() -> None:
    assert audit("0") == (2, "")


class TestTheRegularLook:
    """Each minute, at what has changed lately."""

    def looked(self, *, after_s: float) -> list[Drift]:
        found = audit_lately(now=seconds_later(after_s))
        assert AuditRun.objects.get().ran_at == seconds_later(after_s)
        return found

    def test_finds_nothing_wrong_with_campaigns_at_any_stage(self) -> None:
        completed()
        make_campaign()
        _, [settled, *_, sending] = planned(1_100)
        settle_all(settled, Outcome.SUCCESS)
        claim(sending)
        assert self.looked(after_s=60) == []
        assert AuditRun.objects.get().drift == {}

    def test_finds_a_wrong_counter_while_it_is_sent(self, caplog: pytest.LogCaptureFixture) -> None:
        campaign, [batch] = planned(4)
        settle_all(batch, Outcome.SUCCESS)
        self.looked(after_s=60)
        spoil(campaign, success_count=1, sent_count=1)
        assert self.looked(after_s=120) == [
            Drift(campaign.pk, "sent_count", 1, 4),
            Drift(campaign.pk, "success_count", 1, 4),
        ]
        assert AuditRun.objects.get().drift == {str(campaign.pk): 3}
        assert f"Campaign {campaign.pk}: sent_count is 1, the ledger says 4." in caplog.messages

    def test_recounts_every_device_of_what_has_ended(self) -> None:
        campaign = completed()
        self.looked(after_s=-60)
        DeliveryBatch.objects.update(outcomes=[Outcome.SUCCESS, Outcome.UNKNOWN])
        assert {drift.what for drift in self.looked(after_s=60)} == {
            "success_count",
            "unknown_count",
            "batches",
        }
        assert AuditRun.objects.get().drift == {str(campaign.pk): 1}

    def test_keeps_saying_what_is_wrong_until_it_is_right(self) -> None:
        completed()
        DeliveryBatch.objects.update(outcomes=[Outcome.SUCCESS, Outcome.UNKNOWN])
        self.looked(after_s=60)
        assert self.looked(after_s=100_000) != []
        DeliveryBatch.objects.update(outcomes=[Outcome.SUCCESS, Outcome.SUCCESS])
        assert self.looked(after_s=100_060) == []
        assert AuditRun.objects.get().drift == {}

    def test_costs_nothing_for_what_ended_long_ago(
        self, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        completed()
        self.looked(after_s=60)
        with django_assert_num_queries(7):
            audit_lately(now=seconds_later(100_000))


def completed() -> PushCampaign:
    campaign, [batch] = planned(2)
    settle_all(batch, Outcome.SUCCESS)
    assert transitions.complete_if_settled(campaign_id=campaign.pk, now=NOW)
    return campaign
