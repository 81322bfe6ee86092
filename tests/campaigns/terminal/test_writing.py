from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import CommandError

from campaigns.models import PushCampaign
from devices.segments.models import Segment
from tests.campaigns.terminal.typed import told, told_json

pytestmark = pytest.mark.django_db


def test_a_draft_is_written_by_flags() -> None:
    flags = ["--title", "Größe", "--message", "Тест", "--priority", "high", "--data", "a=b=c"]
    flags += ["--user", "ann", "--user", "bob", "--guarantee", "at_most_once"]
    created = told_json("create", *flags)
    campaign = PushCampaign.objects.get(pk=created["campaign_id"])
    assert (campaign.title, campaign.message, campaign.status) == ("Größe", "Тест", "draft")
    assert (campaign.priority, campaign.guarantee) == ("high", "at_most_once")
    assert (campaign.data_payload, campaign.target_user_ids) == ({"a": "b=c"}, ["ann", "bob"])


def test_flags_say_for_whom_and_when_too() -> None:
    wanted, unwanted = (
        Segment.objects.create(name=name, kind="dynamic", rules={"all": []})
        for name in ("in", "out")
    )
    flags = ["--title", "A", "--message", "B", "--segment", wanted.pk]
    flags += ["--exclude-segment", unwanted.pk, "--rate", 50, "--time-to-live-s", 60]
    flags += ["--expires-at", "2027-01-31T18:00+01:00", "--local-time"]
    flags += ["--timezone", "Europe/Berlin"]
    campaign = PushCampaign.objects.get(pk=told_json("create", *flags)["campaign_id"])
    assert (campaign.segment, campaign.exclude_segment) == (wanted, unwanted)
    assert (campaign.rate_limit_per_second, campaign.time_to_live_s) == (50, 60)
    assert campaign.expires_at == datetime(2027, 1, 31, 17, tzinfo=UTC)
    assert (campaign.local_time, campaign.timezone) == (True, "Europe/Berlin")


@pytest.mark.parametrize(
    "text",
    [
        "title: Sale\nmessage: Now\ntarget_all: true\ndata_payload: {a: b}\n",
        '{"title": "Sale", "message": "Now", "target_all": true, "data_payload": {"a": "b"}}',
    ],
)
def test_a_draft_is_read_from_a_file_and_flags_go_first(text: str, tmp_path: Path) -> None:
    path = tmp_path / "sale.yaml"
    path.write_text(text)
    created = told_json("create", "--file", path, "--title", "Winter sale")
    campaign = PushCampaign.objects.get(pk=created["campaign_id"])
    assert (campaign.title, campaign.message, campaign.target_all) == ("Winter sale", "Now", True)
    assert campaign.data_payload == {"a": "b"}


def test_a_dry_run_checks_all_and_saves_nothing() -> None:
    flags = ["create", "--title", "A", "--message", "B", "--dry-run"]
    assert "could be sent like this" in told(*flags, "--target-all")
    with pytest.raises(CommandError, match="target_all: Say whom it is for"):
        told(*flags)
    assert not PushCampaign.objects.exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "No such file"),
        ("- a\n- b\n", "must hold fields and their values"),
        ("title: [", "can't be read"),
        (
            "title: A\nmessage: B\ntarget_all: true\npriority: urgent\n",
            "priority: Must be one of high, normal, low",
        ),
        ("title: A\nmessage: B\ntarget_all: true\nttl: 3\n", "ttl: "),
        ("title: A\nmessage: B\ntarget_all: true\ndata_payload: {a: {b: c}}\n", "data_payload.a: "),
    ],
)
def test_what_cannot_be_read_is_told_by_field_and_saves_nothing(
    text: str | None, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "sale.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(CommandError, match=reason) as refused:
        told("create", "--file", path)
    assert refused.value.returncode == 1
    assert not PushCampaign.objects.exists()
