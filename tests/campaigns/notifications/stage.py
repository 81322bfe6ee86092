"""Channels of each kind, what is told to them, and a clock that stands until it is moved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from campaigns.models import PushCampaign
from campaigns.notifications import channels, delivery, outbox
from campaigns.notifications.models import Channel, Delivery, Event
from tests.cast import NOW, make_campaign

SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7"


@dataclass
class Clock:
    """A clock that is moved by hand."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def wait(self, wait: timedelta) -> None:
        self.now += wait


def mail_channel(address: str = "ann@example.com", **fields: Any) -> Channel:
    return _channel("email", address, **fields)


def webhook_channel(url: str, **fields: Any) -> Channel:
    return _channel("webhook", url, **fields)


def _channel(kind: str, target: str, **fields: Any) -> Channel:
    defaults: dict[str, Any] = {"name": f"{kind} {target}", "events": list(Event.values)}
    made, _ = channels.create_channel(kind=kind, target=target, now=NOW, **defaults | fields)
    return made


def tell(event: Event = Event.COMPLETED, **fields: Any) -> list[Delivery]:
    """Have a new campaign's move told, as its transaction would; due at `NOW`."""
    campaign = make_campaign()
    PushCampaign.objects.filter(pk=campaign.pk).update(**fields)
    with transaction.atomic():
        outbox.record(campaign_id=campaign.pk, event=event)
    made = Delivery.objects.filter(notice__campaign=campaign)
    made.update(due_at=NOW)
    return list(made.select_related("notice").order_by("pk"))


def deliver(clock: Clock | None = None) -> int:
    return delivery.deliver_due(clock=clock or Clock())


def state_of(one: Delivery) -> str:
    one.refresh_from_db()
    return one.state
