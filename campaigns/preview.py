"""What a campaign's messages look like on the wire, before anybody gets one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from campaigns.models import PushCampaign
from pushcore.messages import AddressKind, Platform, Template
from pushcore.validation import MAX_PAYLOAD_BYTES

ADDRESS = "<address>"
"""Stands where a device's address will."""
DEVICE_ID = 0
"""Stands where a device's id will."""


@dataclass(frozen=True)
class Preview:
    """One platform's request, as it goes to the provider."""

    platform: str
    request: dict[str, Any]
    size_bytes: int
    """Of the message without its address, in compact UTF-8, for the longest device id: what is
    held against the limit."""
    limit_bytes: int = MAX_PAYLOAD_BYTES


def preview_of(campaign: PushCampaign, *, now: datetime) -> list[Preview]:
    """Return what would be sent to each platform now, or at the moment that it is scheduled for."""
    sent_at = max(now, campaign.scheduled_at or now)
    template = Template(campaign.content(), now=sent_at)
    found = []
    for platform in Platform:
        variant = template.variant_for(platform, AddressKind.TOKEN)
        request = orjson.loads(variant.render(ADDRESS, DEVICE_ID))
        found.append(Preview(platform.value, request, variant.size_bytes))
    return found
