"""E-mails, as a mail server receives them."""

from __future__ import annotations

import email
import email.policy
import time
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MessageHandler
from pytest_django import Settings

from campaigns.notifications import unsubscribing
from campaigns.notifications.models import Attempt, Delivery, Event
from scripts.embedded.ports import free_port
from tests.campaigns.notifications.receivers import silent_port
from tests.campaigns.notifications.stage import deliver, mail_channel, state_of, tell
from tests.campaigns.schedules.cast import look, make_schedule
from tests.cast import NOW

pytestmark = pytest.mark.django_db


class _Sink(MessageHandler):
    def __init__(self) -> None:
        super().__init__()
        self.letters: list[EmailMessage] = []

    def prepare_message(self, session: Any, envelope: Any) -> Any:
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        letter["X-To"] = ", ".join(envelope.rcpt_tos)
        return letter

    def handle_message(self, message: Any) -> None:
        self.letters.append(message)


@pytest.fixture
def letters(settings: Settings) -> Iterator[list[EmailMessage]]:
    """What has arrived at a real mail server."""
    sink = _Sink()
    controller = Controller(sink, hostname="127.0.0.1", port=free_port())
    controller.start()
    _send_to(settings, port=controller.port)
    yield sink.letters
    controller.stop()


def _send_to(settings: Settings, *, port: int) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.DEFAULT_FROM_EMAIL = "Pushcore <push@example.com>"


def parts_of(letter: EmailMessage) -> tuple[str, str]:
    text, html = (letter.get_body([kind]) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    return text.get_content(), html.get_content()


def test_the_account_arrives_as_text_and_as_html(letters: list[EmailMessage]) -> None:
    mail_channel("ann@example.com")
    [told] = tell(
        title="Größe <b>XL</b> & mehr",
        total_recipients=1_234_567,
        sent_count=1_234_560,
        success_count=1_234_500,
        failure_count=59,
        invalid_count=50,
        unknown_count=1,
        skipped_count=7,
    )
    deliver()
    assert state_of(told) == "delivered"
    [letter] = letters
    assert letter["Subject"] == "Completed: Größe <b>XL</b> & mehr"
    assert (letter["To"], letter["X-To"]) == ("ann@example.com", "ann@example.com")
    assert letter["From"] == "Pushcore <push@example.com>"
    text, html = parts_of(letter)
    lines = [line.rsplit(maxsplit=1) for line in text.splitlines() if line.endswith("7")]
    assert lines == [["Recipients", "1,234,567"], ["Skipped", "7"]]
    link = (
        f"https://push.example.com/admin/campaigns/pushcampaign/{told.notice.campaign_id}/change/"
    )
    assert link in text
    assert f'href="{link}"' in html
    assert "Größe &lt;b&gt;XL&lt;/b&gt; &amp; mehr" in html
    assert "1,234,567" in html


def test_the_reason_is_in_it(letters: list[EmailMessage]) -> None:
    mail_channel()
    tell(Event.PAUSED, status_reason="PERMISSION_DENIED <script>")
    deliver()
    text, html = parts_of(letters[0])
    assert "PERMISSION_DENIED <script>" in text
    assert "PERMISSION_DENIED &lt;script&gt;" in html


def test_a_title_makes_no_header_of_its_own(letters: list[EmailMessage]) -> None:
    mail_channel()
    tell(title="Sale\r\nBcc: all@example.com")
    deliver()
    [letter] = letters
    assert letter["Subject"] == "Completed: Sale Bcc: all@example.com"
    assert letter["Bcc"] is None


def test_a_mail_program_can_unsubscribe_by_its_headers(letters: list[EmailMessage]) -> None:
    mail_channel("Ann@example.com")
    tell()
    deliver()
    [letter] = letters
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = letter["List-Unsubscribe"].strip(" <>")
    assert link == unsubscribing.link_for("ann@example.com")
    assert link in parts_of(letter)[0]


def test_without_a_public_address_there_are_no_links(
    letters: list[EmailMessage], settings: Settings
) -> None:
    settings.PUBLIC_URL = ""
    mail_channel()
    tell()
    deliver()
    [letter] = letters
    assert letter["List-Unsubscribe"] is None
    assert "http" not in parts_of(letter)[0]


def test_who_has_unsubscribed_gets_nothing(letters: list[EmailMessage]) -> None:
    mail_channel("Ann@example.com")
    [told] = tell()
    unsubscribing.unsubscribe("ann@EXAMPLE.com", now=NOW)
    deliver()
    assert (state_of(told), letters) == ("skipped", [])
    unsubscribing.subscribe_again("ann@example.com")
    tell()
    deliver()
    assert len(letters) == 1


def test_a_repeated_letter_has_the_same_message_id(letters: list[EmailMessage]) -> None:
    channel = mail_channel()
    [told] = tell()
    deliver()
    assert letters[0]["Auto-Submitted"] == "auto-generated"
    assert letters[0]["Message-ID"] == f"<{told.notice.uid}.{channel.pk}@example.com>"


def test_a_mail_server_that_hangs_is_left(settings: Settings) -> None:
    settings.EMAIL_TIMEOUT = 1
    mail_channel()
    [told] = tell()
    with silent_port() as port:
        _send_to(settings, port=port)
        began = time.monotonic()
        deliver()
    assert time.monotonic() - began < 5
    assert (state_of(told), told.attempts) == ("pending", 1)
    assert "timed out" in Attempt.objects.get().error


def test_a_mail_server_that_is_away_is_tried_again(settings: Settings) -> None:
    _send_to(settings, port=1)
    mail_channel()
    [told] = tell()
    deliver()
    assert state_of(told) == "pending"
    assert Attempt.objects.get().error.startswith("ConnectionRefusedError")


def test_missed_runs_arrive_with_how_to_list_them(letters: list[EmailMessage]) -> None:
    mail_channel("ann@example.com")
    schedule = make_schedule(name="Daily sale")
    look("8 12:00")
    Delivery.objects.update(due_at=NOW)
    deliver()
    [letter] = letters
    assert letter["Subject"] == "Runs missed: Daily sale"
    text, html = parts_of(letter)
    for part in (text, html):
        assert f"`manage.py schedules runs {schedule.pk}`" in part
        assert "It was 10800 s late; up to 3600 s are allowed." in part
        assert "2026-03-02T09:00:00Z" in part
    assert "Runs missed                              7" in text
