"""One campaign over several FCM projects: one project's trouble is not the other's."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from campaigns import engine, rescue, services
from campaigns.models import DeliveryBatch
from tests.campaigns.provider.stage import Stage, log
from tests.cast import account

pytestmark = pytest.mark.django_db

ONE = [f"e1.ok.one-{number}" for number in range(20)]
TWO = [f"e1.ok.two-{number}" for number in range(20)]


def test_each_project_has_batches_and_receipts_of_its_own(stage: Stage) -> None:
    one, two = stage.project("shop-one"), stage.project("shop-two")
    stage.devices(one, ONE)
    stage.devices(two, TWO)
    campaign = stage.started()

    stage.send(campaign)

    assert sorted(
        DeliveryBatch.objects.filter(campaign=campaign).values_list(
            "project__project_id", flat=True
        )
    ) == ["shop-one", "shop-two"]
    assert stage.control.stats()["projects"] == {"shop-one": 20, "shop-two": 20}
    assert stage.control.counts(ONE, project="shop-one") == [1] * 20
    assert stage.control.counts(ONE, project="shop-two") == [0] * 20


def test_a_refused_project_leaves_the_others_flow_untouched(
    stage: Stage, admin_client: APIClient
) -> None:
    stage.devices(stage.project("shop-one"), ONE)
    stage.devices(stage.project("shop-two"), TWO)
    stage.control.configure(project_faults={"shop-two": "permission_denied"})
    campaign = stage.launched()
    stage.send(campaign)

    assert campaign.status == "processing"
    assert account(campaign) == {"total_recipients": 20, "sent_count": 20, "success_count": 20}

    # Nothing is left but what waits for a person: it says so, and goes on from there.
    rescue.rescue_campaign(campaign=campaign, now=stage.clock())
    campaign.refresh_from_db()
    assert campaign.status == "paused"
    assert campaign.status_reason.startswith("shop-two: IAM_PERMISSION_DENIED ")
    stats = admin_client.get(f"/api/campaigns/{campaign.pk}/stats/").json()
    assert [(one["project_id"], one["halt_reason"][:9]) for one in stats["projects"]] == [
        ("shop-one", ""),
        ("shop-two", "shop-two:"),
    ]

    stage.control.configure(project_faults={})
    services.resume_campaign(campaign_id=campaign.pk)
    stage.plan(campaign)
    stage.send_to_the_end(campaign)
    rescue.rescue_campaign(campaign=campaign, now=stage.clock())
    campaign.refresh_from_db()

    assert campaign.status == "completed"
    assert account(campaign) == {"total_recipients": 40, "sent_count": 40, "success_count": 40}
    assert stage.control.counts([*ONE, *TWO]) == [1] * 40


def test_a_project_refused_in_the_middle_loses_nobody(stage: Stage) -> None:
    stage.devices(stage.project("shop-one"), ONE)
    stage.devices(stage.project("shop-two"), TWO)
    campaign = stage.started()
    stage.control.configure(project_faults={"shop-two": "not_found"})

    stage.send(campaign)

    statuses = {address: status for address, (status, _, _) in log(campaign).items()}
    assert statuses == dict.fromkeys(ONE, "success") | dict.fromkeys(TWO, "pending")
    assert account(campaign) == {"total_recipients": 40, "sent_count": 20, "success_count": 20}


def test_a_used_up_quota_blocks_its_own_project_only(stage: Stage) -> None:
    one, two = stage.project("shop-one"), stage.project("shop-two")
    stage.devices(one, ["e1.quota_project.1.60.x"])
    stage.devices(two, TWO)
    campaign = stage.started()

    stage.send(campaign)

    assert account(campaign) == {"total_recipients": 21, "sent_count": 20, "success_count": 20}
    assert engine.line_of(one).pacer.state().blocked_for_s > 50
    assert engine.line_of(two).pacer.state().blocked_for_s == 0
