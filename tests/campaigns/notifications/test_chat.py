"""Slack and others: which URLs are taken, and what is posted."""

from __future__ import annotations

import json
import time

import pytest
from apprise.plugins.slack import NotifySlack

from campaigns.notifications import channels, chat
from campaigns.notifications.chat import ServiceRefused, service_of
from campaigns.notifications.models import Attempt, Channel
from tests.campaigns.notifications.receivers import Receiver, silent_port
from tests.campaigns.notifications.stage import SLACK, deliver, state_of, tell
from tests.cast import NOW


def slack_channel() -> Channel:
    made, secret = channels.create_channel(
        name="team", kind="chat", events=["campaign.completed"], target=SLACK, now=NOW
    )
    assert secret == ""
    return made


@pytest.mark.parametrize(
    "url",
    [
        SLACK,
        "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7",
        "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
        "tgram://123456789:abcdefg_hijklmnop/12315544/",
        "pover://uuuuuuuuuuuuuuuuuuuuuuuuuuuuuu@tttttttttttttttttttttttttttttt",
    ],
)
def test_services_at_addresses_of_their_own_are_taken(url: str) -> None:
    service = service_of(url)
    assert (service.redirects, service.socket_read_timeout) == (False, 6.0)


@pytest.mark.parametrize(
    "url",
    [
        "json://127.0.0.1/",
        "jsons://example.com/",
        "xml://127.0.0.1/",
        "form://127.0.0.1/",
        "mmost://127.0.0.1/token",
        "ntfy://127.0.0.1/topic",
        "gotify://127.0.0.1/token",
        "mailto://user:pass@example.com",
        "syslog://",
        "dbus://",
        "slack://",
        "https://example.com/hook",
        "no url",
    ],
)
def test_whatever_may_lead_anywhere_is_refused(url: str) -> None:
    with pytest.raises(ServiceRefused, match="must be a whole Apprise URL"):
        service_of(url)


def test_options_are_refused_as_some_read_files() -> None:
    with pytest.raises(ServiceRefused, match="Options after"):
        service_of(f"{SLACK}?template=file:///etc/passwd")


@pytest.mark.django_db
def test_the_notice_is_posted(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NotifySlack, "webhook_url", receiver.url)
    receiver.body = b"ok"
    slack_channel()
    [told] = tell(title="Sale @everyone <!channel>", total_recipients=3)
    deliver()
    assert state_of(told) == "delivered"
    [received] = receiver.received
    assert received.path == "/hook/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7"
    posted = json.dumps(json.loads(received.body), ensure_ascii=False)
    assert "Completed: Sale" in posted
    assert "Recipients: 3" in posted
    assert '"footer": "Pushcore"' in posted
    assert "apprise" not in posted.lower()
    assert "@everyone" not in posted
    assert "<!channel>" not in posted


@pytest.mark.django_db
def test_a_service_that_refuses_is_tried_again(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NotifySlack, "webhook_url", receiver.url)
    receiver.status = 403
    slack_channel()
    [told] = tell()
    deliver()
    assert state_of(told) == "pending"
    assert Attempt.objects.get().error == (
        "The service did not take it. Failed to send to Slack: error=403."
    )


@pytest.mark.django_db
def test_a_service_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "_READ_TIMEOUT_S", 0.5)
    slack_channel()
    [told] = tell()
    with silent_port() as port:
        monkeypatch.setattr(NotifySlack, "webhook_url", f"http://127.0.0.1:{port}")
        began = time.monotonic()
        deliver()
    assert time.monotonic() - began < 5
    assert state_of(told) == "pending"


@pytest.mark.django_db
def test_nothing_of_the_url_but_its_service_is_shown() -> None:
    assert slack_channel().url_hint == "slack://…"
