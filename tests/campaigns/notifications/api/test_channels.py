"""The API of channels: an administrator keeps them; what is secret goes in and never out."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings
from rest_framework.test import APIClient
from standardwebhooks import Webhook

from campaigns.notifications.models import Channel, Delivery, Event
from tests.campaigns.notifications.receivers import Receiver
from tests.campaigns.notifications.stage import (
    SLACK,
    deliver,
    mail_channel,
    state_of,
    tell,
    webhook_channel,
)

pytestmark = pytest.mark.django_db

CHANNELS = "/api/notification-channels/"
MAIL = {"name": "Ann", "kind": "email", "target": "ann@example.com"}


@pytest.fixture
def admin() -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_user("admin", is_superuser=True))
    return client


def refused_field(answer: Any, field: str) -> str:
    """Return what is said; the field it is said of stands beside it."""
    assert answer.status_code == 400
    said = answer.json()
    assert field in str(said)
    return str(said)


def test_an_email_channel_is_told_of_everything_unless_it_says_otherwise(admin: APIClient) -> None:
    answer = admin.post(CHANNELS, MAIL, format="json")
    assert answer.status_code == 201
    made = answer.json()
    assert made | {"id": 0, "created_at": ""} == {
        "id": 0,
        "name": "Ann",
        "kind": "email",
        "events": list(Event.values),
        "leads_to": "ann@example.com",
        "is_active": True,
        "disabled_reason": "",
        "failing_since": None,
        "created_at": "",
        "secret": "",
    }
    assert admin.get(f"{CHANNELS}{made['id']}/").json() == {
        name: value for name, value in made.items() if name != "secret"
    }


def test_a_webhooks_secret_is_shown_at_its_creation_only(
    admin: APIClient, receiver: Receiver
) -> None:
    body = {"name": "hook", "kind": "webhook", "target": f"{receiver.url}?token=hidden"}
    made = admin.post(CHANNELS, body, format="json").json()
    assert made["secret"].startswith("whsec_")
    assert made["leads_to"] == "http://127.0.0.1/…"
    for shown in (admin.get(CHANNELS), admin.get(f"{CHANNELS}{made['id']}/")):
        assert "whsec_" not in shown.content.decode()
        assert "hidden" not in shown.content.decode()


def test_of_a_chats_url_its_service_is_shown(admin: APIClient) -> None:
    body = {"name": "team", "kind": "chat", "events": ["campaign.failed"], "target": SLACK}
    made = admin.post(CHANNELS, body, format="json").json()
    assert (made["leads_to"], made["events"]) == ("slack://…", ["campaign.failed"])


@pytest.mark.parametrize(
    ("given", "field", "reason"),
    [
        ({"target": "ann"}, "target", "It is no e-mail address."),
        ({"kind": "pigeon"}, "kind", "Must be one of"),
        ({"events": []}, "events", "at least 1 element"),
        ({"events": ["campaign.sneezed"]}, "events", "Must be one of"),
        ({"kind": "webhook", "target": "https://10.0.0.1/"}, "target", "not public"),
        ({"kind": "webhook", "target": "http://example.com/"}, "target", "https://"),
        ({"kind": "chat", "target": "json://127.0.0.1/"}, "target", "Apprise URL"),
        ({"name": ""}, "name", "may not be blank"),
    ],
)
def test_what_leads_nowhere_is_refused(
    admin: APIClient, given: dict[str, Any], field: str, reason: str
) -> None:
    assert reason in refused_field(admin.post(CHANNELS, MAIL | given, format="json"), field)
    assert Channel.objects.count() == 0


def test_a_name_is_taken_once(admin: APIClient) -> None:
    admin.post(CHANNELS, MAIL, format="json")
    said = refused_field(admin.post(CHANNELS, MAIL, format="json"), "name")
    assert "Another channel has this name." in said
    assert Channel.objects.count() == 1


def test_without_a_key_no_secret_is_kept(admin: APIClient, settings: Settings) -> None:
    settings.FERNET_KEYS = []
    body = {"name": "team", "kind": "chat", "target": SLACK}
    assert "FERNET_KEYS is empty" in refused_field(admin.post(CHANNELS, body, format="json"), "")
    assert Channel.objects.count() == 0


def test_a_channel_is_changed_switched_off_and_on(admin: APIClient, receiver: Receiver) -> None:
    channel = webhook_channel(receiver.url)
    address = f"{CHANNELS}{channel.pk}/"
    changed = admin.patch(
        address, {"name": "new", "events": ["campaign.paused"], "is_active": False}, format="json"
    ).json()
    assert (changed["name"], changed["events"]) == ("new", ["campaign.paused"])
    assert (changed["is_active"], changed["disabled_reason"]) == (False, "switched off by hand")
    on = admin.patch(address, {"is_active": True}, format="json").json()
    assert (on["is_active"], on["disabled_reason"], on["failing_since"]) == (True, "", None)


def test_a_change_to_nowhere_is_refused(admin: APIClient) -> None:
    channel = mail_channel("ann@example.com")
    refused_field(
        admin.patch(f"{CHANNELS}{channel.pk}/", {"target": "ann"}, format="json"), "target"
    )
    channel.refresh_from_db()
    assert channel.address == "ann@example.com"


def test_a_channel_goes_with_its_deliveries(admin: APIClient) -> None:
    channel = mail_channel()
    tell()
    assert admin.delete(f"{CHANNELS}{channel.pk}/").status_code == 204
    assert Delivery.objects.count() == 0


def test_a_test_says_at_once_what_came_of_it(admin: APIClient, receiver: Receiver) -> None:
    channel = webhook_channel(receiver.url)
    good = admin.post(f"{CHANNELS}{channel.pk}/test/").json()
    assert (good["event"], good["campaign_id"], good["state"]) == ("test", None, "delivered")
    assert [tried["status_code"] for tried in good["log"]] == [200]
    receiver.status = 500
    bad = admin.post(f"{CHANNELS}{channel.pk}/test/").json()
    assert (bad["state"], bad["log"][0]["error"]) == ("failed", "It answered 500.")
    channel.refresh_from_db()
    assert channel.failing_since is None


def test_a_renewed_secret_signs_the_next_message(admin: APIClient, receiver: Receiver) -> None:
    channel = webhook_channel(receiver.url)
    secret = admin.post(f"{CHANNELS}{channel.pk}/renew-secret/").json()["secret"]
    admin.post(f"{CHANNELS}{channel.pk}/test/")
    [received] = receiver.received
    assert Webhook(secret).verify(received.body, received.headers)["type"] == "test"


def test_for_a_while_the_old_secret_signs_as_well(admin: APIClient, receiver: Receiver) -> None:
    channel = webhook_channel(receiver.url)
    for body, signatures in ({"overlap_s": 60}, 2), ({"overlap_s": 0}, 1), ({}, 2):
        admin.post(f"{CHANNELS}{channel.pk}/renew-secret/", body, format="json")
        admin.post(f"{CHANNELS}{channel.pk}/test/")
        assert len(receiver.received[-1].headers["webhook-signature"].split()) == signatures


def test_an_overlap_has_an_end(admin: APIClient, receiver: Receiver) -> None:
    channel = webhook_channel(receiver.url)
    answer = admin.post(
        f"{CHANNELS}{channel.pk}/renew-secret/", {"overlap_s": 2_592_001}, format="json"
    )
    assert "less than or equal to 2592000" in refused_field(answer, "overlap_s")
    sealed = channel.sealed_secret
    channel.refresh_from_db()
    assert channel.sealed_secret == sealed


def test_only_webhooks_have_a_secret(admin: APIClient) -> None:
    answer = admin.post(f"{CHANNELS}{mail_channel().pk}/renew-secret/")
    assert "Only webhooks are signed." in refused_field(answer, "kind")


def test_deliveries_are_listed_with_every_try(admin: APIClient, receiver: Receiver) -> None:
    channel = webhook_channel(receiver.url)
    mail_channel()
    receiver.status, receiver.body = 503, b"not now"
    tell()
    [told, _] = tell(Event.FAILED)
    deliver()
    page = admin.get(f"{CHANNELS}{channel.pk}/deliveries/").json()
    assert [one["event"] for one in page["results"]] == ["campaign.failed", "campaign.completed"]
    tried = page["results"][1]
    assert tried["campaign_id"] is not None
    assert tried["message_id"].startswith("msg_")
    assert [(one["status_code"], one["response"]) for one in tried["log"]] == [(503, "not now")]
    waiting = admin.get(f"{CHANNELS}{channel.pk}/deliveries/?state=delivered").json()
    assert waiting["results"] == []
    assert admin.get(f"{CHANNELS}{channel.pk}/deliveries/?state=odd").status_code == 400
    assert state_of(told) == "pending"


def test_the_list_of_deliveries_costs_the_same_however_many(
    admin: APIClient, receiver: Receiver, django_assert_num_queries: Any
) -> None:
    channel = webhook_channel(receiver.url)
    for _ in range(4):
        tell()
    deliver()
    with django_assert_num_queries(4):
        admin.get(f"{CHANNELS}{channel.pk}/deliveries/")


def test_a_delivery_is_replayed_by_hand(admin: APIClient, receiver: Receiver) -> None:
    channel = webhook_channel(receiver.url)
    [told] = tell()
    address = f"{CHANNELS}{channel.pk}/deliveries/{told.pk}/replay/"
    assert admin.post(address).status_code == 409
    deliver()
    answer = admin.post(address)
    assert (answer.status_code, answer.json()["state"]) == (202, "pending")
    other = mail_channel()
    assert admin.post(address.replace(f"/{channel.pk}/", f"/{other.pk}/", 1)).status_code == 404


def test_what_is_not_there_is_not_found(admin: APIClient) -> None:
    for address in ("999/", "999/test/", "999/renew-secret/", "999/deliveries/"):
        method = admin.get if address.endswith(("9/", "deliveries/")) else admin.post
        assert method(CHANNELS + address).status_code == 404


def test_only_administrators_get_in() -> None:
    client = APIClient()
    assert client.get(CHANNELS).status_code in {401, 403}
    client.force_authenticate(User.objects.create_user("ann"))
    assert client.get(CHANNELS).status_code == 403
    assert client.post(CHANNELS, MAIL, format="json").status_code == 403
