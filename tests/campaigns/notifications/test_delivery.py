"""Deliveries: claimed, tried again, given up; and what a channel that fails does to others."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from pytest_django import Settings

from campaigns.notifications import backoff, channels, delivery, egress
from campaigns.notifications.models import Attempt, Channel, Delivery
from tests.campaigns.notifications.receivers import Receiver, silent_port
from tests.campaigns.notifications.stage import Clock, deliver, state_of, tell, webhook_channel
from tests.cast import NOW, seconds_later
from tests.concurrency import run_at_once

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_luck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery._random, "random", lambda: 0.0)


def test_what_is_delivered_is_written_down_and_not_sent_again(receiver: Receiver) -> None:
    webhook_channel(receiver.url)
    [told] = tell()
    assert deliver() == 1
    assert deliver(Clock(seconds_later(3_600))) == 0
    assert (state_of(told), told.finished_at, told.claimed_until) == ("delivered", NOW, None)
    [tried] = Attempt.objects.all()
    assert (tried.attempted_at, tried.status_code, tried.response, tried.error) == (
        NOW,
        200,
        "thanks",
        "",
    )
    assert len(receiver.received) == 1


def test_what_fails_is_tried_again_after_a_while(receiver: Receiver) -> None:
    webhook_channel(receiver.url)
    [told] = tell()
    receiver.status, receiver.body = 503, b"later" + b"!" * 5_000
    assert deliver() == 1
    assert (state_of(told), told.attempts, told.due_at) == ("pending", 1, seconds_later(5))
    [tried] = Attempt.objects.all()
    assert (tried.status_code, tried.error) == (503, "It answered 503.")
    assert (len(tried.response), tried.response[:6]) == (1_000, "later!")
    assert deliver(Clock(seconds_later(4))) == 0
    receiver.status = 204
    assert deliver(Clock(seconds_later(5))) == 1
    assert state_of(told) == "delivered"


def test_a_redirect_is_a_failure(receiver: Receiver) -> None:
    webhook_channel(receiver.url)
    [told] = tell()
    receiver.status, receiver.headers = 302, {"Location": "http://127.0.0.1:1/"}
    deliver()
    assert (state_of(told), Attempt.objects.get().error) == ("pending", "It answered 302.")


def test_the_last_failure_gives_up(receiver: Receiver) -> None:
    webhook_channel(receiver.url)
    [told] = tell()
    receiver.status = 500
    clock = Clock()
    for _ in range(backoff.MAX_ATTEMPTS):
        assert deliver(clock) == 1
        clock.wait(timedelta(days=1))
        Channel.objects.update(failing_since=None)
    assert (state_of(told), Attempt.objects.count()) == ("failed", 10)
    assert deliver(clock) == 0


def test_who_is_gone_is_not_told_again(receiver: Receiver) -> None:
    channel = webhook_channel(receiver.url)
    [told] = tell()
    receiver.status = 410
    deliver()
    channel.refresh_from_db()
    assert (state_of(told), channel.is_active) == ("failed", False)
    assert channel.disabled_reason == "It answered 410 Gone: it wants nothing more."
    assert tell() == []


def test_a_channel_that_fails_for_two_days_is_disabled(receiver: Receiver) -> None:
    channel = webhook_channel(receiver.url)
    receiver.status = 500
    [first] = tell()
    deliver()
    channel.refresh_from_db()
    assert channel.failing_since == NOW
    [second] = tell()
    deliver(Clock(NOW + timedelta(days=2, seconds=-1)))
    channel.refresh_from_db()
    assert channel.is_active
    deliver(Clock(NOW + timedelta(days=2, hours=1)))
    channel.refresh_from_db()
    assert (channel.is_active, channel.disabled_reason) == (
        False,
        "Nothing has reached it for 2 days.",
    )
    assert [state_of(first), state_of(second)] == ["failed", "failed"]


def test_a_success_ends_a_bad_record(receiver: Receiver) -> None:
    channel = webhook_channel(receiver.url)
    Channel.objects.update(failing_since=NOW - timedelta(days=9))
    tell()
    deliver()
    channel.refresh_from_db()
    assert channel.failing_since is None


def test_a_channel_that_hangs_keeps_no_other_from_being_told(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(egress, "TIMEOUT_S", 1)
    with silent_port() as port:
        webhook_channel(f"http://127.0.0.1:{port}/", name="hangs")
        webhook_channel(receiver.url, name="works")
        for _ in range(3):
            tell()
        began = time.monotonic()
        assert deliver() == 4
        assert time.monotonic() - began < 3
    states = Delivery.objects.order_by("channel", "pk").values_list("channel__name", "state")
    assert list(states) == [("hangs", "pending")] * 3 + [("works", "delivered")] * 3


def test_one_pass_at_a_time_holds_one_process(receiver: Receiver) -> None:
    webhook_channel(receiver.url)
    [told] = tell()
    assert delivery.claim(told, now=NOW)
    tell()
    assert deliver() == 0
    assert deliver(Clock(seconds_later(61))) == 2


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_has_it(receiver: Receiver) -> None:
    webhook_channel(receiver.url)
    [told] = tell()
    assert sorted(
        run_at_once(6, lambda: delivery.claim(Delivery.objects.get(pk=told.pk), now=NOW))
    ) == [False] * 5 + [True]


def test_a_killed_worker_counts_as_a_failed_try(receiver: Receiver) -> None:
    webhook_channel(receiver.url)
    [told] = tell()
    assert delivery.claim(told, now=NOW)
    assert deliver(Clock(seconds_later(61))) == 1
    assert (state_of(told), told.attempts) == ("delivered", 2)


def test_what_kills_every_worker_is_given_up(receiver: Receiver) -> None:
    webhook_channel(receiver.url)
    [told] = tell()
    Delivery.objects.update(attempts=backoff.MAX_ATTEMPTS)
    deliver()
    assert (state_of(told), receiver.received) == ("failed", [])


def test_a_late_answer_changes_nothing(receiver: Receiver) -> None:
    webhook_channel(receiver.url)
    [told] = tell()
    delivery.claim(told, now=NOW)
    deliver(Clock(seconds_later(61)))
    receiver.status = 500
    delivery.attempt(told, clock=Clock(seconds_later(62)))
    assert state_of(told) == "delivered"


def test_a_key_that_is_lost_is_said(receiver: Receiver, settings: Settings) -> None:
    webhook_channel(receiver.url)
    [told] = tell()
    settings.FERNET_KEYS = []
    deliver()
    assert state_of(told) == "pending"
    assert Attempt.objects.get().error.startswith("FERNET_KEYS is empty")


def test_a_replay_is_the_same_message_again(receiver: Receiver) -> None:
    webhook_channel(receiver.url)
    [told] = tell()
    deliver()
    channels.replay(delivery_id=told.pk, now=seconds_later(60))
    with pytest.raises(channels.NothingToReplay):
        channels.replay(delivery_id=told.pk, now=seconds_later(60))
    deliver(Clock(seconds_later(60)))
    first, second = receiver.received
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert state_of(told) == "delivered"
