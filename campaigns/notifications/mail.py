"""Notices by e-mail: HTML and text, with the headers by which a reader can end them."""

from __future__ import annotations

from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from campaigns.notifications import unsubscribing
from campaigns.notifications.answers import Answer
from campaigns.notifications.models import Channel, Notice
from campaigns.notifications.words import context_of


def send_mail(channel: Channel, notice: Notice) -> Answer:
    """Hand the notice to the mail server."""
    try:
        letter_of(channel, notice).send()
    except (SMTPException, OSError) as exc:
        return Answer(error=f"{type(exc).__name__}: {exc}")
    return Answer()


def letter_of(channel: Channel, notice: Notice) -> EmailMultiAlternatives:
    """Return the letter; its Message-ID stays the same over retries."""
    link = unsubscribing.link_for(channel.address)
    context = context_of(notice) | {"unsubscribe_link": link}
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip("> ")
    headers = {
        "Message-ID": f"<{notice.uid}.{channel.pk}@{domain}>",
        "Auto-Submitted": "auto-generated",  # RFC 3834: whoever is on holiday does not answer
    }
    if link:
        headers["List-Unsubscribe"] = f"<{link}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
    letter = EmailMultiAlternatives(
        subject=context["subject"],
        body=render_to_string("email/notice.txt", context),
        to=[channel.address],
        headers=headers,
    )
    letter.attach_alternative(render_to_string("email/notice.html", context), "text/html")
    return letter
