from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import CommandError

from campaigns.models import DeliveryBatch
from pushcore.outcomes import Outcome
from tests.campaigns.terminal.typed import running, told
from tests.cast import settle_all

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("words", [[], ["--status", "success"]])
def test_who_got_it_is_written_line_by_line(words: list[str], tmp_path: Path) -> None:
    campaign = running()
    [batch] = DeliveryBatch.objects.filter(campaign=campaign)
    settle_all(batch, Outcome.SUCCESS)
    path = tmp_path / "deliveries.ndjson"
    told("export", campaign.pk, "--format", "ndjson", "--output", path, *words)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(one["device_id"], one["status"]) for one in lines] == [
        (device_id, "success") for device_id in batch.device_ids
    ]


def test_none_of_another_outcome_leaves_the_header_alone(tmp_path: Path) -> None:
    path = tmp_path / "deliveries.csv"
    told("export", running().pk, "--output", path, "--status", "failed")
    assert path.read_text().startswith("device_id,user_id,platform,status,")
    assert len(path.read_text().splitlines()) == 1


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "deliveries.csv"
    path.write_text("mine")
    with pytest.raises(CommandError, match="exists"):
        told("export", running().pk, "--output", path)
    assert path.read_text() == "mine"
