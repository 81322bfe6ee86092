from __future__ import annotations

import pytest
from django.core.management import CommandError

from tests.campaigns.terminal.typed import told, told_json
from tests.cast import make_campaign, make_devices, make_project

pytestmark = pytest.mark.django_db


def test_the_wire_is_shown_for_each_platform_with_its_size() -> None:
    campaign = make_campaign(title="Größe")
    shown = told_json("preview", campaign.pk)
    assert [one["platform"] for one in shown] == ["android", "ios", "web"]
    assert shown[0]["request"]["message"]["notification"]["title"] == "Größe"
    [only] = told_json("preview", campaign.pk, "--platform", "web")
    assert only == shown[2]
    head, *_ = told("preview", campaign.pk, "--platform", "web").splitlines()
    assert head == f"web: {only['size_bytes']:,} of 4,096 bytes"


def test_a_test_to_nobody_is_refused() -> None:
    with pytest.raises(CommandError, match="device_ids: ") as refused:
        told("test", make_campaign().pk, "--device", 404)
    assert refused.value.returncode == 1


def test_an_estimate_tells_reach_platforms_and_time() -> None:
    project = make_project(project_id="acme-push", quota_per_minute=600)
    make_devices(project, 20)
    make_devices(project, 1, platform="ios")
    campaign = make_campaign()
    estimate = told_json("estimate", campaign.pk)
    assert (estimate["total"], estimate["is_exact"]) == (21, True)
    assert (estimate["platforms"]["android"], estimate["platforms"]["ios"]) == (20, 1)
    shown = told("estimate", campaign.pk)
    assert "devices            21" in shown
    assert "project acme-push  21 devices, 9/s at most" in shown
