"""The shared quota, a campaign's own pace, and Redis that knows both."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from pytest_django import Settings

from campaigns import engine
from campaigns.models import PushCampaign
from campaigns.states import CampaignStatus
from tests.campaigns.provider.stage import Stage, only_batch
from tests.cast import account
from tests.concurrency import in_own_connection
from tests.fixtures.redis import ValkeyServer

pytestmark = pytest.mark.django_db


def oks(count: int) -> list[str]:
    return [f"e1.ok.{number}" for number in range(count)]


@contextmanager
def being_sent(stage: Stage, campaign: PushCampaign) -> Iterator[None]:
    """Have a worker send the campaign's batch beside the test; wait for it in the end."""
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(in_own_connection, lambda: stage.send(campaign))
        try:
            yield
        finally:
            PushCampaign.objects.filter(pk=campaign.pk, status="processing").update(
                status=CampaignStatus.PAUSED
            )
            sending.result(timeout=30)


@pytest.mark.django_db(transaction=True)
def test_a_campaigns_own_pace_changes_while_it_runs_within_two_seconds(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pushcore.gate.STARVED_S", 60)  # so that one batch lasts long enough
    stage.devices(stage.project(), oks(400))
    campaign = stage.started(rate_limit_per_second=50)
    mine = PushCampaign.objects.filter(pk=campaign.pk)

    with being_sent(stage, campaign):
        stage.wait_until_received(25)
        assert stage.received() <= 100

        mine.update(rate_limit_per_second=2)
        time.sleep(2)
        slowed = stage.received()
        time.sleep(0.6)
        assert stage.received() - slowed <= 3

        mine.update(rate_limit_per_second=None)
        lifted_at = time.monotonic()
        stage.wait_until_received(slowed + 50)
        assert time.monotonic() - lifted_at < 2
        stage.wait_until_received(400)


@pytest.mark.django_db(transaction=True)
def test_a_pause_is_in_force_within_two_seconds_and_what_was_in_flight_settles(
    stage: Stage,
) -> None:
    stage.devices(stage.project(), oks(200))
    campaign = stage.started(rate_limit_per_second=50)

    with being_sent(stage, campaign):
        stage.wait_until_received(20)
        PushCampaign.objects.filter(pk=campaign.pk).update(status=CampaignStatus.PAUSED)
        time.sleep(2)
        paused = stage.received()
        time.sleep(0.3)
        assert stage.received() == paused
    campaign.refresh_from_db()

    accepted = sum(stage.control.counts(oks(200)))
    assert 0 < accepted < 200
    assert account(campaign)["success_count"] == accepted
    assert stage.waiting(campaign) == {}


def test_a_batch_starved_of_its_pace_frees_the_process_and_goes_on_where_it_was(
    stage: Stage,
) -> None:
    stage.devices(stage.project(), oks(40))
    campaign = stage.started(rate_limit_per_second=10)
    began = time.monotonic()

    stage.send(campaign)

    assert 1.5 < time.monotonic() - began < 5
    batch = only_batch(campaign)
    assert (batch.state, batch.retry_at, batch.retries, batch.crashes) == ("pending", None, {}, 0)
    sent = account(campaign)["success_count"]
    assert 15 <= sent <= 30

    stage.send(campaign)

    assert account(campaign)["success_count"] > sent
    assert max(stage.control.counts(oks(40))) == 1


@pytest.mark.parametrize("form", ["seconds", "date", "absent"])
def test_a_used_up_quota_blocks_every_worker_and_slows_the_project_down(
    stage: Stage, form: str
) -> None:
    stage.control.configure(retry_after=form)
    project = stage.project()
    stage.devices(project, ["e1.quota_project.1.90.x"])
    stage.send(stage.started())

    stage.new_process()
    urgent = stage.started(priority="high")
    stage.send(urgent)

    assert stage.received() == 1
    pace = engine.line_of(project).pacer.state()
    assert pace.blocked_for_s == pytest.approx(60 if form == "absent" else 90, abs=15)
    assert pace.factor == pytest.approx(0.7, abs=0.02)
    batch = only_batch(urgent)
    assert (batch.state, batch.retries, batch.crashes) == ("pending", {}, 0)
    assert batch.retry_at is not None
    assert (batch.retry_at - stage.clock()).total_seconds() == pytest.approx(
        pace.blocked_for_s, abs=15
    )


def test_after_a_short_block_the_same_batch_goes_on(stage: Stage, settings: Settings) -> None:
    settings.FCM_IN_FLIGHT = 5
    stage.devices(stage.project(), ["e1.quota_project.1.1.x", *oks(50)])
    campaign = stage.started()

    stage.send(campaign)

    assert account(campaign)["success_count"] == 50
    assert stage.control.counts(oks(50)) == [1] * 50


def test_low_priority_has_a_share_and_high_priority_has_room(
    stage: Stage, settings: Settings
) -> None:
    settings.QUOTA_SHARE_LOW = 0.01
    settings.SEND_DEADLINE_S = 1
    stage.devices(stage.project(quota_per_minute=12_000), oks(40))
    low, high = stage.started(priority="low"), stage.started(priority="high")

    stage.send(low)
    settings.SEND_DEADLINE_S = 20
    stage.send(high)

    assert account(low).get("success_count", 0) <= 8
    assert account(high)["success_count"] == 40


def test_an_idle_project_can_be_ramped_up(stage: Stage, settings: Settings) -> None:
    settings.QUOTA_RAMP_S = 1
    stage.devices(stage.project(quota_per_minute=24_000), oks(250))
    campaign = stage.started(priority="high")

    stage.send(campaign)

    # The full pace is 400 a second; on the way to it some 50 in the first half, 150 in the other.
    per_tenth_of_a_second = stage.control.stats()["rate"]["received"]
    assert sum(per_tenth_of_a_second[:5]) <= 65
    assert sum(per_tenth_of_a_second[:10]) <= 220
    assert account(campaign)["success_count"] == 250


def test_none_is_ramped_up_unless_asked_for(stage: Stage) -> None:
    stage.devices(stage.project(quota_per_minute=12_000), oks(100))
    campaign = stage.started(priority="high")

    stage.send(campaign)

    # Google's 60 s would have let 7 start before the batch is handed back.
    assert account(campaign)["success_count"] == 100


def test_without_redis_nothing_is_sent_and_no_attempt_is_used(
    stage: Stage, settings: Settings, own_redis: ValkeyServer
) -> None:
    settings.REDIS_URL = own_redis.url
    settings.SEND_DEADLINE_S = 1
    stage.devices(stage.project(quota_per_minute=600_000), oks(20))
    campaign = stage.started(guarantee="at_most_once")
    own_redis.kill()
    began = time.monotonic()

    stage.send(campaign)

    assert stage.received() == 0
    assert 1 <= time.monotonic() - began < 10
    batch = only_batch(campaign)
    assert (batch.state, batch.retries, batch.crashes) == ("pending", {}, 0)

    own_redis.start()
    stage.send(campaign)

    assert account(campaign) == {"total_recipients": 20, "sent_count": 20, "success_count": 20}


def test_redis_gone_in_the_middle_pauses_the_batch_and_coming_back_ends_it(
    stage: Stage, settings: Settings, own_redis: ValkeyServer
) -> None:
    settings.REDIS_URL = own_redis.url
    stage.devices(stage.project(quota_per_minute=6_000), oks(150))
    campaign = stage.started(priority="high")
    seen: list[int] = []

    def lose_redis_for_a_while() -> None:
        own_redis.kill()
        for _ in range(2):
            time.sleep(0.5)
            seen.append(stage.received())
        own_redis.start()

    with stage.meanwhile(received=20, then=lose_redis_for_a_while):
        stage.send(campaign)

    assert 20 <= seen[0] < 150
    assert seen[0] == seen[1]
    assert account(campaign) == {"total_recipients": 150, "sent_count": 150, "success_count": 150}
    assert stage.control.counts(oks(150)) == [1] * 150
