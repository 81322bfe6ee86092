"""FERNET_KEYS change, and channels go on being told."""

from __future__ import annotations

from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings
from standardwebhooks import Webhook

from campaigns.notifications import channels
from campaigns.notifications.models import Channel
from tests.campaigns.notifications.receivers import Receiver
from tests.campaigns.notifications.stage import SLACK, mail_channel, state_of
from tests.cast import NOW

pytestmark = pytest.mark.django_db


def test_the_old_key_can_be_dropped_after_a_rotation(
    settings: Settings, receiver: Receiver
) -> None:
    mail_channel()
    hook, secret = channels.create_channel(
        name="hook", kind="webhook", events=["campaign.failed"], target=receiver.url, now=NOW
    )
    channels.create_channel(
        name="team", kind="chat", events=["campaign.failed"], target=SLACK, now=NOW
    )
    renewed = channels.renew_secret(channel_id=hook.pk, now=timezone.now())
    old, new = settings.FERNET_KEYS[0], Fernet.generate_key().decode()
    settings.FERNET_KEYS = [new, old]
    out = StringIO()
    call_command("channels", "rotate-keys", stdout=out)
    assert out.getvalue().strip() == "2 channels are under the first key now."
    settings.FERNET_KEYS = [new]
    made = channels.test_channel(channel_id=hook.pk, clock=lambda: NOW)
    assert state_of(made) == "delivered"
    [received] = receiver.received
    assert received.headers["webhook-signature"].split() == [
        Webhook(one).sign(received.headers["webhook-id"], NOW, received.body.decode())
        for one in (renewed, secret)
    ]


def test_an_old_secret_that_signs_nothing_any_more_is_forgotten(receiver: Receiver) -> None:
    hook, _ = channels.create_channel(
        name="hook", kind="webhook", events=["campaign.failed"], target=receiver.url, now=NOW
    )
    channels.renew_secret(channel_id=hook.pk, now=NOW)
    assert channels.reseal_all(now=NOW + channels.OVERLAP) == 1
    hook.refresh_from_db()
    assert (hook.sealed_old_secret, hook.old_secret_until) == ("", None)


def test_a_channel_under_none_of_the_keys_is_said_and_left(settings: Settings) -> None:
    made, _ = channels.create_channel(
        name="team", kind="chat", events=["campaign.failed"], target=SLACK, now=NOW
    )
    settings.FERNET_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CommandError) as refusal:
        call_command("channels", "rotate-keys")
    assert (refusal.value.returncode, str(refusal.value)) == (
        1,
        "None of FERNET_KEYS opens it.",
    )
    assert Channel.objects.get().sealed_url == made.sealed_url
