"""Webhooks, as a receiver with the specification's own library sees them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from campaigns.notifications import channels, sealing
from campaigns.notifications.models import Channel, Event
from tests.campaigns.notifications.receivers import Received, Receiver
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


def signed_by(received: Received) -> set[str]:
    """Return the message's signatures."""
    return set(received.headers["webhook-signature"].split())


def sign(received: Received, secret: str) -> str:
    """Return the message's signature by the secret."""
    at = datetime.fromtimestamp(int(received.headers["webhook-timestamp"]), tz=UTC)
    return Webhook(secret).sign(received.headers["webhook-id"], at, received.body.decode())


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


def test_after_a_renewal_both_secrets_sign_until_the_overlap_ends(receiver: Receiver) -> None:
    channel, old = made(receiver.url)
    new = channels.renew_secret(channel_id=channel.pk, now=NOW, overlap=timedelta(hours=1))
    for wait in (timedelta(minutes=59), timedelta(hours=1)):
        channels.test_channel(channel_id=channel.pk, clock=Clock(NOW + wait))
    during, after = receiver.received
    assert signed_by(during) == {sign(during, new), sign(during, old)}
    assert signed_by(after) == {sign(after, new)}


def test_a_secret_that_leaked_signs_nothing_more(receiver: Receiver) -> None:
    channel, leaked = made(receiver.url)
    newer = channels.renew_secret(channel_id=channel.pk, now=NOW)
    newest = channels.renew_secret(channel_id=channel.pk, now=NOW, overlap=timedelta())
    told_now(receiver)
    [received] = receiver.received
    Webhook(newest).verify(received.body, received.headers)
    for gone in (leaked, newer):
        with pytest.raises(WebhookVerificationError):
            Webhook(gone).verify(received.body, received.headers)


def test_url_and_secret_are_encrypted_at_rest(receiver: Receiver) -> None:
    channel, secret = made(receiver.url + "?token=hidden")
    row = str(Channel.objects.filter(pk=channel.pk).values().get())
    assert "hidden" not in row
    assert secret.removeprefix("whsec_") not in row
    assert sealing.unseal(channel.sealed_secret) == secret
    assert channel.url_hint == "http://127.0.0.1/…"
