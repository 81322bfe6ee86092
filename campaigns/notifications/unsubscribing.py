"""How a reader of e-mails ends them: a signed link, without a login.

Whoever has the link may use it, so it can do no more than stop and resume e-mails to one address.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.conf import settings
from django.core import signing
from django.urls import reverse

from campaigns.notifications.models import Unsubscription

_SALT: Final = "campaigns.notifications.unsubscribe"


def link_for(address: str) -> str:
    """Return the link for an address; empty where `PUBLIC_URL` is not set. It does not expire."""
    if not settings.PUBLIC_URL:
        return ""
    token = signing.Signer(salt=_SALT).sign_object(address.lower())
    return f"{settings.PUBLIC_URL}{reverse('unsubscribe', args=[token])}"


def address_in(token: str) -> str | None:
    """Return the address that the link is for; None where nobody signed it."""
    try:
        return str(signing.Signer(salt=_SALT).unsign_object(token))
    except signing.BadSignature:
        return None


def unsubscribe(address: str, *, now: datetime) -> None:
    """Send nothing more to the address."""
    Unsubscription.objects.get_or_create(address=address.lower(), defaults={"created_at": now})


def subscribe_again(address: str) -> None:
    """Send to the address again, whatever channels name it."""
    Unsubscription.objects.filter(address=address.lower()).delete()


def is_unsubscribed(address: str) -> bool:
    """Return whether the address wants nothing from here."""
    return Unsubscription.objects.filter(address=address.lower()).exists()
