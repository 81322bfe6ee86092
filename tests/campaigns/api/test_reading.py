from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from campaigns.models import DeliveryBatch, PushCampaign
from campaigns.transitions import halt_lane
from pushcore.outcomes import Outcome
from tests.cast import (
    make_campaign,
    make_devices,
    make_project,
    settle_all,
    start_and_plan,
)

pytestmark = pytest.mark.django_db

STATS = [
    "campaign_id",
    "title",
    "status",
    "status_reason",
    "total_recipients",
    "sent",
    "success",
    "failure",
    "invalid",
    "unknown",
    "skipped",
    "remaining",
    "progress",
    "rate_per_second",
    "eta_seconds",
    "started_at",
    "completed_at",
    "projects",
]


def running_campaign(devices: int = 3, **fields: Any) -> PushCampaign:
    make_devices(make_project(), devices)
    campaign = make_campaign(**fields)
    start_and_plan(campaign)
    return campaign


def test_a_campaign_is_read_by_its_id(staff: APIClient) -> None:
    campaign = make_campaign()
    answer = staff.get(f"/api/campaigns/{campaign.pk}/")
    assert (answer.status_code, answer.json()["id"]) == (200, campaign.pk)


@pytest.mark.parametrize("key", ["0", "999999999999999999", "9" * 19, "x", "-1", "1e3"])
@pytest.mark.parametrize("action", ["", "stats/"])
def test_what_is_not_there_is_404(staff: APIClient, key: str, action: str) -> None:
    assert staff.get(f"/api/campaigns/{key}/{action}").status_code == 404


def test_stats_have_exactly_these_keys(staff: APIClient) -> None:
    answer = staff.get(f"/api/campaigns/{make_campaign().pk}/stats/").json()
    assert list(answer) == STATS


def test_stats_of_a_draft_are_zeroes(staff: APIClient) -> None:
    campaign = make_campaign()
    answer = staff.get(f"/api/campaigns/{campaign.pk}/stats/").json()
    assert answer == dict.fromkeys(STATS, 0) | {
        "campaign_id": campaign.pk,
        "title": "Sale",
        "status": "draft",
        "status_reason": "",
        "eta_seconds": None,
        "started_at": None,
        "completed_at": None,
        "projects": [],
    }


def test_stats_name_the_projects_and_why_one_refuses_us(staff: APIClient) -> None:
    good, refusing = make_project(), make_project()
    for project in (good, refusing):
        make_devices(project, 1)
    campaign = make_campaign()
    start_and_plan(campaign)
    halt_lane(campaign_id=campaign.pk, project_id=refusing.pk, reason="PERMISSION_DENIED")
    answer = staff.get(f"/api/campaigns/{campaign.pk}/stats/").json()
    assert answer["projects"] == [
        {"project_id": good.project_id, "halt_reason": ""},
        {"project_id": refusing.project_id, "halt_reason": "PERMISSION_DENIED"},
    ]


def test_stats_add_up_while_the_campaign_runs(staff: APIClient) -> None:
    make_devices(make_project(), 1_200)
    campaign = make_campaign()
    batch, *_ = start_and_plan(campaign)
    settle_all(batch, Outcome.FAILED)
    answer = staff.get(f"/api/campaigns/{campaign.pk}/stats/").json()
    account = {key: answer[key] for key in STATS[4:13]}
    assert account == {
        "total_recipients": 1_200,
        "sent": 500,
        "success": 0,
        "failure": 500,
        "invalid": 0,
        "unknown": 0,
        "skipped": 0,
        "remaining": 700,
        "progress": 0.4167,
    }


def test_stats_cost_the_same_statements_whatever_the_audience(
    staff: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_devices(make_project(), 2_001)
    campaign = make_campaign()
    for batch in start_and_plan(campaign)[:3]:
        settle_all(batch, Outcome.SUCCESS)
    with django_assert_num_queries(1):
        staff.get(f"/api/campaigns/{campaign.pk}/stats/")


def test_active_lists_what_is_being_sent_or_paused(staff: APIClient) -> None:
    running, paused = running_campaign(title="Winter"), running_campaign()
    PushCampaign.objects.filter(pk=paused.pk).update(status="paused")
    make_campaign()
    for ended in ("completed", "cancelled", "failed"):
        PushCampaign.objects.filter(pk=make_campaign().pk).update(status=ended)
    answer = staff.get("/api/campaigns/active/").json()
    titles = {one["campaign_id"]: one["title"] for one in answer}
    assert titles == {running.pk: "Winter", paused.pk: "Sale"}
    assert list(answer[0]) == STATS


def test_active_costs_the_same_statements_however_many_there_are(
    staff: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        running_campaign()
    with django_assert_num_queries(2):
        staff.get("/api/campaigns/active/")


def test_the_schema_describes_every_endpoint(staff: APIClient) -> None:
    answer = staff.get("/api/schema/", headers={"Accept": "application/vnd.oai.openapi+json"})
    actions = ["", "cancel/", "pause/", "resume/", "retry-failed/", "send/", "stats/"]
    expected = {f"/api/campaigns/{{id}}/{action}" for action in actions}
    expected |= {"/api/campaigns/", "/api/campaigns/active/"}
    assert expected <= answer.json()["paths"].keys()


@pytest.mark.usefixtures("own_cache")
def test_stats_are_broken_down_where_that_is_asked_for(staff: APIClient) -> None:
    campaign = running_campaign(3)
    address = f"/api/campaigns/{campaign.pk}/stats/"
    platforms = staff.get(address, {"by": "platform"}).json()
    assert list(platforms) == [*STATS, "by_platform"]
    assert platforms["by_platform"] == [
        {
            "platform": "android",
            "total": 3,
            "sent": 0,
            "success": 0,
            "failure": 0,
            "invalid": 0,
            "unknown": 0,
            "skipped": 0,
            "remaining": 3,
        }
    ]
    settle_all(DeliveryBatch.objects.get(), Outcome.FAILED)
    both = staff.get(address, {"by": "error,platform"}).json()
    assert both["by_error"] == [{"error": "TEST", "status": "failed", "devices": 3}]
    assert "by_platform" in both


def test_stats_by_what_there_is_not_are_refused(staff: APIClient) -> None:
    answer = staff.get(f"/api/campaigns/{make_campaign().pk}/stats/", {"by": "platform,moon"})
    assert (answer.status_code, "moon" in str(answer.json())) == (400, True)
