"""Takes due notices to their channels; what fails is tried again later.

A delivery is claimed by an UPDATE that counts the attempt, so of many workers one has it, and one
that is killed with it counts as a failure. Nothing here holds a lock or a transaction while it
waits for somebody else's server.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Final

from django.db import transaction
from django.db.models import F, QuerySet

from campaigns.entry import storable
from campaigns.notifications import backoff, sealing
from campaigns.notifications.answers import KEPT_CHARACTERS, Answer
from campaigns.notifications.chat import send_chat
from campaigns.notifications.mail import send_mail
from campaigns.notifications.models import (
    TEST,
    Attempt,
    Channel,
    ChannelKind,
    Delivery,
    DeliveryState,
)
from campaigns.notifications.unsubscribing import is_unsubscribed
from campaigns.notifications.webhook import send_webhook

logger = logging.getLogger(__name__)

PASS_S: Final = 20
"""No delivery is begun later in one pass: a worker's process is soon free again."""
_HOLD: Final = timedelta(seconds=60)
"""Longer than any single try may take."""
_random = SystemRandom()

Clock = Callable[[], datetime]


def deliver_due(*, clock: Clock) -> int:
    """Try what is due, one after the other; return how many were tried.

    Leaves at once where another pass is under way, so that channels that hang never hold more
    than one process. A channel that fails is passed over until the next pass.
    """
    began, failing, tried = clock(), set[int](), 0
    if Delivery.objects.filter(claimed_until__gt=began).exists():
        return 0
    while clock() - began < timedelta(seconds=PASS_S):
        delivery = _claim_next(now=clock(), passed_over=failing)
        if delivery is None:
            break
        tried += 1
        if attempt(delivery, clock=clock).error:
            failing.add(delivery.channel_id)
    return tried


def _claim_next(*, now: datetime, passed_over: set[int]) -> Delivery | None:
    """Claim what is due first, channels that work before those that don't."""
    due = (
        Delivery.objects.filter(
            state=DeliveryState.PENDING, due_at__lte=now, channel__is_active=True
        )
        .exclude(channel__in=passed_over)
        .order_by(F("channel__failing_since").asc(nulls_first=True), "due_at", "pk")
    )
    while (found := due.first()) is not None:
        if claim(found, now=now):
            return found
    return None


def claim(delivery: Delivery, *, now: datetime) -> bool:
    """Take the delivery for one try, unless somebody else has it."""
    rows = Delivery.objects.filter(
        pk=delivery.pk, state=DeliveryState.PENDING, attempts=delivery.attempts, due_at__lte=now
    ).update(attempts=F("attempts") + 1, due_at=now + _HOLD, claimed_until=now + _HOLD)
    delivery.attempts += 1
    return rows == 1


def attempt(delivery: Delivery, *, clock: Clock) -> Answer:
    """Try a claimed delivery, and write down what was answered."""
    if delivery.attempts > backoff.MAX_ATTEMPTS:  # each of them killed its worker
        _close(delivery, DeliveryState.FAILED, now=clock())
        return Answer(error="It was tried too often.")
    if delivery.channel.kind == ChannelKind.EMAIL and is_unsubscribed(delivery.channel.address):
        _close(delivery, DeliveryState.SKIPPED, now=clock())
        return Answer()
    began, started = clock(), time.monotonic()
    try:
        answer = _send(delivery, now=began)
    except Exception as exc:  # whatever it is, it must not keep the others from being told
        logger.exception("Delivery %s failed in our own hands.", delivery.pk)
        answer = Answer(error=f"{type(exc).__name__}: {exc}")
    duration_s = time.monotonic() - started
    _settle(delivery, answer, began=began, duration_s=duration_s, now=clock())
    return answer


def _send(delivery: Delivery, *, now: datetime) -> Answer:
    channel, notice = delivery.channel, delivery.notice
    if channel.kind == ChannelKind.EMAIL:
        return send_mail(channel, notice)
    try:
        url = sealing.unseal(channel.sealed_url)
        if channel.kind == ChannelKind.CHAT:
            return send_chat(url, notice)
        secrets = [sealing.unseal(sealed) for sealed in channel.sealed_secrets(now=now)]
        return send_webhook(url, notice, secrets=secrets, now=now)
    except sealing.Sealed as exc:
        return Answer(error=str(exc))


def _settle(
    delivery: Delivery, answer: Answer, *, began: datetime, duration_s: float, now: datetime
) -> None:
    with transaction.atomic():
        Attempt.objects.create(
            delivery=delivery,
            attempted_at=began,
            duration_ms=int(duration_s * 1_000),
            status_code=answer.status_code,
            response=storable(answer.response)[:KEPT_CHARACTERS],
            error=storable(answer.error)[:KEPT_CHARACTERS],
        )
        if not answer.error:
            _close(delivery, DeliveryState.DELIVERED, now=now)
        elif _is_last(delivery, answer):
            _close(delivery, DeliveryState.FAILED, now=now)
        else:
            wait = backoff.wait_after(delivery.attempts, luck=_random.random())
            _held(delivery).update(due_at=now + wait, claimed_until=None)
        if delivery.notice.event != TEST:
            _note_health(delivery.channel, answer, now=now)


def _is_last(delivery: Delivery, answer: Answer) -> bool:
    is_test = delivery.notice.event == TEST
    return is_test or answer.is_gone or delivery.attempts >= backoff.MAX_ATTEMPTS


def _held(delivery: Delivery) -> QuerySet[Delivery]:
    return Delivery.objects.filter(
        pk=delivery.pk, state=DeliveryState.PENDING, attempts=delivery.attempts
    )


def _close(delivery: Delivery, state: DeliveryState, *, now: datetime) -> None:
    _held(delivery).update(state=state, finished_at=now, claimed_until=None)


def _note_health(channel: Channel, answer: Answer, *, now: datetime) -> None:
    """Remember since when the channel fails; disable one that fails for too long."""
    row = Channel.objects.filter(pk=channel.pk)
    if not answer.error:
        row.exclude(failing_since=None).update(failing_since=None)
        return
    row.filter(failing_since=None).update(failing_since=now)
    if answer.is_gone:
        _disable(channel, "It answered 410 Gone: it wants nothing more.", now=now)
    elif row.filter(failing_since__lte=now - backoff.DISABLE_AFTER).exists():
        days = backoff.DISABLE_AFTER.days
        _disable(channel, f"Nothing has reached it for {days} days.", now=now)


def _disable(channel: Channel, reason: str, *, now: datetime) -> None:
    disabled = Channel.objects.filter(pk=channel.pk, is_active=True).update(
        is_active=False, disabled_reason=reason
    )
    if disabled:
        logger.warning("Notification channel %s (%s) is disabled: %s", channel.pk, channel, reason)
    Delivery.objects.filter(channel=channel, state=DeliveryState.PENDING).update(
        state=DeliveryState.FAILED, finished_at=now, claimed_until=None
    )
