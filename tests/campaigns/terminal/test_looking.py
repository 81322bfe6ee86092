from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from campaigns import services, transitions
from campaigns.models import DeliveryBatch
from campaigns.terminal.looking import quota_lines
from pushcore.outcomes import Outcome
from tests.campaigns.terminal.typed import running, told, told_json
from tests.cast import (
    NOW,
    make_campaign,
    make_devices,
    make_project,
    settle_all,
    start_and_plan,
)

pytestmark = pytest.mark.django_db


def test_shows_how_a_campaign_stands_and_why_it_does_not_go_on() -> None:
    campaign = running()
    [lane] = campaign.lanes.all()
    transitions.halt_lane(
        campaign_id=campaign.pk, project_id=lane.project_id, reason="acme-push: API disabled"
    )
    facts = dict(line.split(maxsplit=1) for line in told("show", campaign.pk).splitlines()[:-1])
    assert (facts["campaign_id"], facts["status"]) == (str(campaign.pk), "paused")
    assert (facts["status_reason"], facts["remaining"]) == ("acme-push: API disabled", "2")
    assert "project acme-push  acme-push: API disabled" in told("show", campaign.pk)


def test_shows_the_same_to_programs() -> None:
    campaign = running()
    shown = told_json("show", campaign.pk)
    assert (shown["campaign_id"], shown["status"], shown["total_recipients"]) == (
        campaign.pk,
        "processing",
        2,
    )


def test_lists_the_newest_first_and_by_status() -> None:
    draft, sent = make_campaign(title="Draft"), running()
    assert [row["campaign_id"] for row in told_json("list")] == [sent.pk, draft.pk]
    assert [row["campaign_id"] for row in told_json("list", "--limit", 1)] == [sent.pk]
    assert [row["title"] for row in told_json("list", "--status", "draft")] == ["Draft"]
    head, _rule, *rows = told("list").splitlines()
    assert head.split() == ["id", "status", "devices", "settled", "title"]
    assert rows[0].split() == [str(sent.pk), "processing", "2", "0", "Sale"]


def test_a_status_that_there_is_not_names_those_that_there_are() -> None:
    with pytest.raises(CommandError, match="'sent' is not one of 'draft', 'scheduled'"):
        told("list", "--status", "sent")


def test_says_that_there_is_no_such_campaign() -> None:
    with pytest.raises(CommandError, match=r"^There is no campaign 404\.$") as missing:
        told("show", 404)
    assert missing.value.returncode == 3


def test_a_watched_campaign_is_told_until_it_is_completed() -> None:
    campaign = running()
    [batch] = DeliveryBatch.objects.filter(campaign=campaign)
    settle_all(batch, Outcome.SUCCESS)
    transitions.complete_if_settled(campaign_id=campaign.pk, now=NOW)
    [line] = told("status", campaign.pk, "--watch").splitlines()
    assert line.startswith("completed: 2 of 2 sent, ")
    assert line.endswith("· success 2, invalid 0, failed 0, unknown 0, skipped 0")


def test_watching_a_campaign_that_ended_badly_exits_with_one() -> None:
    campaign = running()
    services.cancel_campaign(campaign_id=campaign.pk, now=NOW)
    with pytest.raises(CommandError, match="is cancelled: cancelled by hand") as badly:
        told("status", campaign.pk, "--watch")
    assert badly.value.returncode == 1


def test_what_the_quota_lets_a_running_campaign_send_is_told_by_project() -> None:
    make_devices(make_project(project_id="acme-push", quota_per_minute=60_000), 2)
    make_devices(make_project(project_id="acme-free", quota_per_minute=0), 1)
    campaign = make_campaign()
    start_and_plan(campaign)
    campaign.refresh_from_db()
    # Normal campaigns leave a tenth to urgent ones, and all keep a little away from the quota.
    assert quota_lines(campaign) == ["acme-push: quota for 885/s", "acme-free: no quota"]
    services.cancel_campaign(campaign_id=campaign.pk, now=NOW)
    campaign.refresh_from_db()
    assert quota_lines(campaign) == []


def test_shows_what_it_sends_and_what_can_be_done_next() -> None:
    campaign = make_campaign(
        title="Sale", target_all=False, target_user_ids=[f"user-{number}" for number in range(12)]
    )
    facts = dict(line.split(maxsplit=1) for line in told("show", campaign.pk).splitlines())
    assert facts["message"] == campaign.message
    assert facts["target_user_ids"].endswith("user-9 … 12 in all")
    assert "target_all" not in facts
    assert facts["allowed_moves"] == " ".join(campaign.allowed_moves)
    assert len(told_json("show", campaign.pk)["target_user_ids"]) == 12


def test_who_stops_watching_is_told_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    campaign = running()

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("campaigns.terminal.looking.time.sleep", interrupted)
    err = StringIO()
    with pytest.raises(CommandError) as left:
        call_command("campaign", "status", str(campaign.pk), "--watch", stderr=err)
    assert left.value.returncode == 130
    assert err.getvalue() == (
        f"Campaign {campaign.pk} goes on; manage.py campaign pause {campaign.pk} stops it.\n"
    )
    campaign.refresh_from_db()
    assert campaign.status == "processing"
