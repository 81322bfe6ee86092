from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from campaigns import transitions
from campaigns.models import PushCampaign
from tests.cast import make_campaign, make_devices, make_project, start_and_plan

pytestmark = pytest.mark.django_db


def told(*words: object) -> str:
    out = StringIO()
    call_command("campaign", *map(str, words), stdout=out)
    return out.getvalue()


def running() -> PushCampaign:
    make_devices(make_project(project_id="acme-push"), 2)
    campaign = make_campaign(title="Sale")
    start_and_plan(campaign)
    return campaign


def test_shows_how_a_campaign_stands_and_why_it_does_not_go_on() -> None:
    campaign = running()
    [lane] = campaign.lanes.all()
    transitions.halt_lane(
        campaign_id=campaign.pk, project_id=lane.project_id, reason="acme-push: API disabled"
    )
    shown = told("show", campaign.pk)
    assert "status                  paused" in shown
    assert "status_reason           acme-push: API disabled" in shown
    assert "remaining               2" in shown
    assert "acme-push: acme-push: API disabled" in shown


def test_shows_the_same_to_programs() -> None:
    campaign = running()
    shown = json.loads(told("show", campaign.pk, "--json"))
    assert (shown["campaign_id"], shown["status"], shown["total_recipients"]) == (
        campaign.pk,
        "processing",
        2,
    )


def test_lists_the_newest_first_and_by_status() -> None:
    draft, sent = make_campaign(title="Draft"), running()
    every = json.loads(told("list", "--json"))
    assert [row["campaign_id"] for row in every] == [sent.pk, draft.pk]
    assert [row["title"] for row in json.loads(told("list", "--status", "draft", "--json"))] == [
        "Draft"
    ]


def test_pauses_resumes_and_cancels() -> None:
    campaign = running()
    statuses = [
        json.loads(told(action, campaign.pk, "--json"))["status"]
        for action in ("pause", "resume", "cancel")
    ]
    assert statuses == ["paused", "processing", "cancelled"]


def test_a_move_that_is_not_allowed_names_what_is() -> None:
    campaign = make_campaign()
    with pytest.raises(CommandError, match="Cannot pause a campaign that is draft; allowed now"):
        told("pause", campaign.pk)


def test_says_that_there_is_no_such_campaign() -> None:
    with pytest.raises(CommandError, match="There is no campaign 404"):
        told("show", 404)


@pytest.mark.parametrize(("word", "rate"), [("250", 250), ("none", None)])
def test_changes_the_rate_of_a_running_campaign(word: str, rate: int | None) -> None:
    campaign = running()
    PushCampaign.objects.filter(pk=campaign.pk).update(rate_limit_per_second=10)
    assert (
        json.loads(told("set-rate", campaign.pk, word, "--json"))["rate_limit_per_second"] == rate
    )
    campaign.refresh_from_db()
    assert campaign.rate_limit_per_second == rate


@pytest.mark.parametrize("word", ["0", "-1", "fast", "1.5"])
def test_refuses_what_is_no_rate(word: str) -> None:
    with pytest.raises(CommandError, match="neither a whole number from 1 nor"):
        told("set-rate", running().pk, word)


def test_an_ended_campaign_has_no_rate_to_change() -> None:
    campaign = running()
    told("cancel", campaign.pk)
    with pytest.raises(CommandError, match="Cannot set the rate of a campaign that is cancelled"):
        told("set-rate", campaign.pk, "5")
