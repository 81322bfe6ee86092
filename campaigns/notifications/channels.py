"""How administrators keep the channels; the API and the command line call these.

ChannelError
├── FieldRefused          what stands in a field can't be used (400)
└── NothingToReplay       the delivery is on its way already (409)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from campaigns.notifications import delivery, egress, sealing
from campaigns.notifications.chat import ServiceRefused, service_of
from campaigns.notifications.models import (
    TEST,
    Channel,
    ChannelKind,
    Delivery,
    DeliveryState,
    Notice,
)
from campaigns.notifications.webhook import new_secret

Clock = Callable[[], datetime]
OVERLAP: Final = timedelta(days=1)
"""How long a webhook is signed by its old secret as well, unless said otherwise."""
MAX_OVERLAP: Final = timedelta(days=30)


class ChannelError(Exception):
    """A request to a channel was refused, and nothing has changed."""


class FieldRefused(ChannelError):
    """What stands in the field can't be used."""

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(f"{field}: {reason}")


class NothingToReplay(ChannelError):
    """The delivery is on its way already."""


def create_channel(
    *,
    name: str,
    kind: str,
    events: Sequence[str],
    target: str,
    user: Any = None,
    now: datetime,
) -> tuple[Channel, str]:
    """Make a channel; return it and, of a webhook, the secret to verify with: shown only now.

    `target` is an e-mail address, an Apprise URL, or a webhook's URL.

    Raises:
        FieldRefused: the name is taken, the target is none of its kind, or nothing can be
            encrypted.
    """
    secret = new_secret() if kind == ChannelKind.WEBHOOK else ""
    fields = {"sealed_secret": _sealed(secret)} if secret else {}
    channel = Channel(
        name=name,
        kind=kind,
        events=list(events),
        created_by=user if user is not None and user.pk else None,
        created_at=now,
        **_target_fields(kind, target),
        **fields,
    )
    with _refusing_taken_names():
        channel.save(force_insert=True)
    return channel, secret


def change_channel(
    *,
    channel_id: int,
    name: str | None = None,
    events: Sequence[str] | None = None,
    target: str | None = None,
    is_active: bool | None = None,
) -> Channel:
    """Change what is given; a channel that is switched on again starts without a bad record.

    Raises:
        FieldRefused: as for a new one.
        Channel.DoesNotExist: there is no such channel.
    """
    with transaction.atomic():
        channel = Channel.objects.select_for_update().get(pk=channel_id)
        changes: dict[str, Any] = {}
        if name is not None:
            changes["name"] = name
        if events is not None:
            changes["events"] = list(events)
        if target is not None:
            changes |= _target_fields(channel.kind, target)
        if is_active is not None and is_active != channel.is_active:
            reason = "" if is_active else "switched off by hand"
            changes |= {"is_active": is_active, "disabled_reason": reason, "failing_since": None}
        _save(channel, changes)
    return channel


def renew_secret(*, channel_id: int, now: datetime, overlap: timedelta = OVERLAP) -> str:
    """Give a webhook another secret to sign with, from now on; return it: shown only now.

    For `overlap` each message carries a signature by the old one too, so that the receiver can be
    changed without missing any (Standard Webhooks, "multiple signatures"). None of it for a secret
    that leaked.

    Raises:
        FieldRefused: the channel is no webhook, or nothing can be encrypted.
        Channel.DoesNotExist: there is no such channel.
    """
    secret = new_secret()
    with transaction.atomic():
        channel = Channel.objects.select_for_update().get(pk=channel_id)
        if channel.kind != ChannelKind.WEBHOOK:
            raise FieldRefused("kind", "Only webhooks are signed.")
        changes: dict[str, Any] = {"sealed_secret": _sealed(secret)}
        changes |= {"sealed_old_secret": "", "old_secret_until": None}
        if overlap:
            changes["sealed_old_secret"] = channel.sealed_secret
            changes["old_secret_until"] = now + overlap
        _save(channel, changes)
    return secret


def test_channel(*, channel_id: int, clock: Clock) -> Delivery:
    """Tell the channel that this is a test, now and once; return what became of it.

    Takes as long as the other side does, ten seconds and a bit at most. Also for a channel that is
    switched off, and whatever comes of it does not count for or against the channel.

    Raises:
        Channel.DoesNotExist: there is no such channel.
    """
    channel = Channel.objects.get(pk=channel_id)
    with transaction.atomic():
        notice = Notice.objects.create(event=TEST, account={"title": channel.name})
        made = Delivery.objects.create(notice=notice, channel=channel, due_at=clock())
    if delivery.claim(made, now=clock()):
        delivery.attempt(made, clock=clock)
    made.refresh_from_db()
    return made


def replay(*, delivery_id: int, now: datetime) -> None:
    """Have a notice delivered once more, under the id that it had.

    One that waits for its next try is tried at once: the receiver may be mended.

    Raises:
        NothingToReplay: it is on its way already.
        Delivery.DoesNotExist: there is no such delivery.
    """
    wanted = Delivery.objects.filter(pk=delivery_id)
    replayed = wanted.exclude(state=DeliveryState.PENDING).update(
        state=DeliveryState.PENDING, attempts=0, due_at=now, finished_at=None
    )
    waiting = wanted.filter(state=DeliveryState.PENDING, claimed_until=None, due_at__gt=now)
    if not replayed and not waiting.update(due_at=now):
        Delivery.objects.get(pk=delivery_id)
        raise NothingToReplay("The delivery is on its way already.")


def reseal_all(*, now: datetime) -> int:
    """Encrypt the channels' secrets anew under the first of FERNET_KEYS; return how many channels.

    Old secrets that sign nothing any more are forgotten.

    Raises:
        Sealed: one of them is under none of the keys; those before it are done.
    """
    count = 0
    for channel in Channel.objects.exclude(sealed_url="").order_by("pk"):
        secrets = [sealing.reseal(sealed) for sealed in channel.sealed_secrets(now=now) if sealed]
        secret, old = [*secrets, "", ""][:2]
        count += Channel.objects.filter(
            pk=channel.pk, sealed_url=channel.sealed_url, sealed_secret=channel.sealed_secret
        ).update(
            sealed_url=sealing.reseal(channel.sealed_url),
            sealed_secret=secret,
            sealed_old_secret=old,
            old_secret_until=channel.old_secret_until if old else None,
        )
    return count


def _target_fields(kind: str, target: str) -> dict[str, str]:
    if kind == ChannelKind.EMAIL:
        try:
            validate_email(target)
        except ValidationError as refusal:
            raise FieldRefused("target", "It is no e-mail address.") from refusal
        return {"address": target}
    try:
        if kind == ChannelKind.CHAT:
            service_of(target)
            hint = f"{urlsplit(target).scheme}://…"
        else:
            parts = egress.check_url(target, private_hosts=settings.WEBHOOK_PRIVATE_HOSTS)
            hint = f"{parts.scheme}://{parts.hostname}/…"
    except (ServiceRefused, egress.UrlRefused) as refusal:
        raise FieldRefused("target", str(refusal)) from refusal
    return {"sealed_url": _sealed(target), "url_hint": hint[:300]}


def _sealed(text: str) -> str:
    try:
        return sealing.seal(text)
    except sealing.Sealed as refusal:
        raise FieldRefused("target", str(refusal)) from refusal


def _save(channel: Channel, changes: Mapping[str, Any]) -> None:
    """Save the changes only: what the deliveries note about a channel is theirs to write."""
    for name, value in changes.items():
        setattr(channel, name, value)
    with _refusing_taken_names():
        channel.save(update_fields=list(changes))


@contextmanager
def _refusing_taken_names() -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
    except IntegrityError as exc:
        if "_name_" not in str(exc):
            raise
        raise FieldRefused("name", "Another channel has this name.") from exc
