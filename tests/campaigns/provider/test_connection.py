"""A connection to the database that is lost while nobody uses it, as by a restart or a firewall."""

from __future__ import annotations

import pytest

from campaigns.models import DeliveryBatch
from campaigns.sending import send_batch
from tests.campaigns.provider.stage import Stage, log
from tests.concurrency import cut_the_connection


@pytest.mark.django_db(transaction=True)
def test_a_batch_is_sent_although_the_connection_was_lost_before_it(stage: Stage) -> None:
    stage.devices(stage.project(), ["e1.ok.1"])
    campaign = stage.started()
    batch = DeliveryBatch.objects.get()
    cut_the_connection()

    send_batch(batch_id=batch.pk, clock=stage.clock)

    assert log(campaign) == {"e1.ok.1": ("success", "", True)}
