"""Webhooks, as a receiver with the specification's own library sees them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from campaigns.notifications import channels, sealing
from campaigns.notifications.models import Channel, Event
from tests.campaigns.notifications.receivers import Receiver
from tests.campaigns.notifications.stage import Clock, deliver, tell
from tests.cast import NOW

pytestmark = pytest.mark.django_db


def made(url: str) -> tuple[Channel, str]:
    events = ["campaign.failed"]
    return channels.create_channel(name="hook", kind="webhook", events=events, target=url, now=NOW)


def told_now(receiver: Receiver) -> None:
    """Have a failed campaign told; the library takes no timestamps but of these minutes."""
    [told] = tell(Event.FAILED, status_reason="“bad” image")
    type(told).objects.update(due_at=NOW)
    deliver(Clock(datetime.now(UTC)))


def test_the_receiver_can_verify_it(receiver: Receiver) -> None:
    _, secret = made(receiver.url)
    told_now(receiver)
    [received] = receiver.received
    message = Webhook(secret).verify(received.body, received.headers)
    assert message["type"] == "campaign.failed"
    assert message["data"]["status_reason"] == "“bad” image"
    assert datetime.fromisoformat(message["timestamp"]).tzinfo == UTC
    assert received.headers["Content-Type"] == "application/json"
    assert received.headers["webhook-id"].startswith("msg_")


def test_another_secret_or_body_is_noticed(receiver: Receiver) -> None:
    _, secret = made(receiver.url)
    told_now(receiver)
    [received] = receiver.received
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 44).verify(received.body, received.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(received.body + b" ", received.headers)


def test_each_try_has_the_same_id_and_a_timestamp_of_its_own(receiver: Receiver) -> None:
    made(receiver.url)
    tell(Event.FAILED)
    receiver.status = 500
    deliver(Clock(NOW))
    deliver(Clock(NOW + timedelta(seconds=10)))
    first, second = (received.headers for received in receiver.received)
    assert first["webhook-id"] == second["webhook-id"]
    assert (int(second["webhook-timestamp"]) - int(first["webhook-timestamp"])) == 10
    assert first["webhook-signature"] != second["webhook-signature"]


def test_a_renewed_secret_signs_from_now_on(receiver: Receiver) -> None:
    channel, old = made(receiver.url)
    new = channels.renew_secret(channel_id=channel.pk)
    told_now(receiver)
    [received] = receiver.received
    Webhook(new).verify(received.body, received.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(received.body, received.headers)


def test_url_and_secret_are_encrypted_at_rest(receiver: Receiver) -> None:
    channel, secret = made(receiver.url + "?token=hidden")
    row = str(Channel.objects.filter(pk=channel.pk).values().get())
    assert "hidden" not in row
    assert secret.removeprefix("whsec_") not in row
    assert sealing.unseal(channel.sealed_secret) == secret
    assert channel.url_hint == "http://127.0.0.1/…"
