"""`manage.py channels`: as an operator types it."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from io import StringIO

import pytest
from django.core import mail
from django.core.management import CommandError
from django.utils import timezone
from standardwebhooks import Webhook

from campaigns.notifications.models import Channel, Delivery
from campaigns.notifications.unsubscribing import unsubscribe
from tests.campaigns.notifications.receivers import Receiver
from tests.campaigns.notifications.stage import (
    SLACK,
    Clock,
    deliver,
    mail_channel,
    state_of,
    tell,
    webhook_channel,
)
from tests.campaigns.terminal import typed
from tests.cast import NOW

pytestmark = pytest.mark.django_db

told = partial(typed.told, command="channels")
told_json = partial(typed.told_json, command="channels")


def test_a_webhook_is_made_and_tested_and_its_log_read(receiver: Receiver) -> None:
    made = told_json("create", "hook", "webhook", receiver.url, "--event", "campaign.failed")
    assert made["events"] == ["campaign.failed"]
    tested = told_json("test", made["id"])
    assert (tested["state"], tested["log"][0]["status_code"]) == ("delivered", 200)
    [received] = receiver.received
    headers = {name.lower(): value for name, value in received.headers.items()}
    assert Webhook(made["secret"]).verify(received.body, headers)["type"] == "test"
    assert told("deliveries", made["id"]).splitlines()[2].split() == [
        *(str(tested["id"]), "test", "–", "delivered", "1", "200", "thanks"),
    ]
    assert "200 thanks" in told("delivery", tested["id"])


def test_a_test_that_fails_exits_with_one_and_says_what_was_answered(receiver: Receiver) -> None:
    channel = webhook_channel(receiver.url)
    receiver.status = 500
    with pytest.raises(CommandError, match=r"^It did not arrive") as refusal:
        told("test", channel.pk)
    assert refusal.value.returncode == 1
    [failed] = told_json("deliveries", channel.pk, "--state", "failed")
    assert failed["log"][0]["status_code"] == 500


def test_a_secret_url_is_read_from_stdin_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO(f"{SLACK}\n"))
    shown = told("create", "team", "chat")
    assert "slack://…" in shown
    assert SLACK not in shown
    assert told("list").splitlines()[2].split() == [
        *(str(Channel.objects.get().pk), "chat", "on", "slack://…", "team"),
    ]


def test_it_is_switched_off_and_on_and_changed() -> None:
    channel = mail_channel()
    assert told_json("change", channel.pk, "--off")["disabled_reason"] == "switched off by hand"
    assert "off: switched off by hand" in told("list")
    changed = told_json("change", channel.pk, "--on", "--event", "campaign.paused")
    assert (changed["is_active"], changed["events"]) == (True, ["campaign.paused"])
    assert told_json("show", channel.pk)["leads_to"] == "ann@example.com"


def test_a_reader_who_unsubscribed_is_shown_and_not_written_to() -> None:
    channel = mail_channel("Ann@example.com")
    unsubscribe("Ann@example.com", now=NOW)
    assert "unsubscribed by its reader" in told("list")
    with pytest.raises(CommandError, match=r"^Whoever it is for has unsubscribed"):
        told("test", channel.pk)
    assert mail.outbox == []


def test_what_waits_for_its_next_try_is_told_at_once(receiver: Receiver) -> None:
    webhook_channel(receiver.url)
    [one] = tell()
    receiver.status = 500
    deliver()
    Delivery.objects.update(due_at=timezone.now() + timedelta(hours=20))
    receiver.status = 200
    assert told_json("replay", one.pk)["attempts"] == 1
    deliver(Clock(timezone.now()))
    assert state_of(one) == "delivered"
    assert [line.split()[2:] for line in told("delivery", one.pk).splitlines()[-2:]] == [
        *(["ms", "It", "answered", "500.", "thanks"], ["ms", "200", "thanks"]),
    ]


def test_what_was_told_is_told_again_under_its_id(receiver: Receiver) -> None:
    channel = webhook_channel(receiver.url)
    [one] = tell()
    deliver()
    before = told_json("delivery", one.pk)
    assert told_json("replay", one.pk)["state"] == "pending"
    Delivery.objects.update(due_at=one.due_at)
    deliver()
    assert state_of(one) == "delivered"
    [after] = told_json("deliveries", channel.pk)
    assert (after["message_id"], len(after["log"])) == (before["message_id"], 2)
    assert f"campaign {one.notice.campaign_id}" in told("deliveries", channel.pk)


def test_a_renewed_secret_signs_beside_the_old_one_for_as_long_as_said(receiver: Receiver) -> None:
    channel = webhook_channel(receiver.url)
    assert told_json("renew-secret", channel.pk)["secret"].startswith("whsec_")
    told("test", channel.pk)
    told("renew-secret", channel.pk, "--overlap-hours", 0)
    told("test", channel.pk)
    signatures = [one.headers["webhook-signature"].split() for one in receiver.received]
    assert [len(one) for one in signatures] == [2, 1]


def test_deleting_asks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    channel = mail_channel(name="Ann")
    monkeypatch.setattr("sys.stdin", StringIO("n\n"))
    with pytest.raises(CommandError, match=r"^Nothing was done"):
        told("delete", channel.pk)
    assert told("delete", channel.pk, "--yes") == "The channel “Ann” is deleted.\n"
    assert not Channel.objects.exists()


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["create", "x", "email", "ann"], 1, "^target: It is no e-mail address"),
        (["create", "x", "webhook", "https://10.0.0.1/"], 1, "^target: It leads to an address"),
        (["create", "x", "chat", "json://127.0.0.1/"], 1, "^target: It must be a whole Apprise"),
        (["show", 404], 3, "^There is no channel 404"),
        (["test", 404], 3, "^There is no channel 404"),
        (["deliveries", 404], 3, "^There is no channel 404"),
        (["delivery", 404], 3, "^There is no delivery 404"),
        (["replay", 404], 3, "^There is no delivery 404"),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[object], code: int, reason: str) -> None:
    with pytest.raises(CommandError, match=reason) as refusal:
        told(*words)
    assert refusal.value.returncode == code
    assert not Channel.objects.exists()
