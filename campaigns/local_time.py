"""Delivery on the devices' own clocks: one campaign, and a moment for each time zone.

What counts is what the clocks of the campaign's zone show at its moment: `scheduled_at`, or that of
its launch. Each device gets it when its own clock shows the same; one that names no zone lives in
the campaign's. A clock that showed it before the launch shows it again on the next day, unless
it was within the last hour: that is near enough to be sent at once.

A batch is for one moment, and waits for it in the ledger as `retry_at`: whatever pauses, cancels,
rescues or counts batches need not know why they wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from campaigns.models import PushCampaign
from campaigns.wall_time import first_on_earth, moment_of, wall_of
from devices.places import timezones

AT_ONCE_WITHIN: Final = timedelta(hours=1)
AHEAD: Final = timedelta(hours=26)
"""No clock on earth is further ahead of another (UTC+14 of UTC-12)."""


def begins_at(campaign: PushCampaign) -> datetime | None:
    """Return when a scheduled campaign is to be started: with the first clock on earth."""
    if campaign.scheduled_at is None or not campaign.local_time:
        return campaign.scheduled_at
    return first_on_earth(campaign.scheduled_at, ZoneInfo(campaign.timezone))


def moments_of(campaign: PushCampaign) -> Mapping[str, datetime]:
    """Return when each zone's devices get a started campaign; the empty name is for the rest.

    What is returned depends on the campaign's row alone: each slice of a plan asks anew.
    """
    launched = campaign.started_at
    assert launched is not None  # noqa: S101 - nothing is planned before
    wall = wall_of(campaign.scheduled_at or launched, ZoneInfo(campaign.timezone))
    moments = {name: _moment(wall, name, launched=launched) for name in timezones()}
    return moments | {"": moments[campaign.timezone]}


def _moment(wall: datetime, zone: str, *, launched: datetime) -> datetime:
    moment = moment_of(wall, ZoneInfo(zone))
    while moment < launched - AT_ONCE_WITHIN:
        wall += timedelta(days=1)
        moment = moment_of(wall, ZoneInfo(zone))
    return max(moment, launched)
