"""Launching campaigns, and everything that is done to them afterwards."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import uuid4

from django.utils import timezone
from django_typer.management import Context
from typer import Argument, BadParameter

from campaigns import services
from campaigns.estimate import estimate_of
from campaigns.terminal.arguments import CampaignId, answering, find_campaign, say_account
from devices.terminal import AsJson, Yes, ask


@answering
def send(context: Context, campaign: CampaignId, *, yes: Yes = False, json: AsJson = False) -> None:
    """Launch it: asks first, with the reach, where it goes to everybody."""
    wanted = find_campaign(campaign)
    if wanted.target_all and not yes:
        reach = estimate_of(wanted, now=timezone.now())
        about = "" if reach.is_exact else "about "
        ask(f"Send “{wanted.title}” to everybody: {about}{reach.total:,} devices?")
    services.start_campaign(campaign_id=campaign, task_id=uuid4(), now=timezone.now())
    say_account(context.django_command, campaign, as_json=json)


def time_with_offset(text: str) -> datetime:
    """Read a moment in RFC 3339 (or `YYYY-MM-DD HH:MM+02:00`); its offset must be there.

    Raises:
        BadParameter: it is no such moment.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is not a time such as 2027-01-31T18:00:00+01:00."
        raise BadParameter(message) from None
    if moment.tzinfo is None:
        message = f"{text!r} lacks its offset from UTC: end it with Z, or with one such as +01:00."
        raise BadParameter(message)
    return moment


@answering
def schedule(
    context: Context,
    campaign: CampaignId,
    at: Annotated[
        datetime,
        Argument(
            parser=time_with_offset, metavar="TIME", help="A time to come, with its UTC offset."
        ),
    ],
    *,
    json: AsJson = False,
) -> None:
    """Have it launched at a time to come, or move that time."""
    services.schedule_campaign(campaign_id=campaign, scheduled_at=at, now=timezone.now())
    say_account(context.django_command, campaign, as_json=json)


@answering
def unschedule(context: Context, campaign: CampaignId, *, json: AsJson = False) -> None:
    """Make it a draft again."""
    services.unschedule_campaign(campaign_id=campaign)
    say_account(context.django_command, campaign, as_json=json)


@answering
def pause(context: Context, campaign: CampaignId, *, json: AsJson = False) -> None:
    """Send nothing more for now; what is in flight settles."""
    services.pause_campaign(campaign_id=campaign)
    say_account(context.django_command, campaign, as_json=json)


@answering
def resume(context: Context, campaign: CampaignId, *, json: AsJson = False) -> None:
    """Send on what is not settled."""
    services.resume_campaign(campaign_id=campaign)
    say_account(context.django_command, campaign, as_json=json)


@answering
def cancel(
    context: Context, campaign: CampaignId, *, yes: Yes = False, json: AsJson = False
) -> None:
    """End it; whoever has not been sent to is skipped. There is no way back: it asks first."""
    wanted = find_campaign(campaign)
    if not yes:
        ask(f"Cancel “{wanted.title}”? {wanted.remaining_count:,} devices would be skipped.")
    services.cancel_campaign(campaign_id=campaign, now=timezone.now())
    say_account(context.django_command, campaign, as_json=json)


@answering
def retry_failed(context: Context, campaign: CampaignId, *, json: AsJson = False) -> None:
    """Send again to those whom it failed to reach, dead addresses excepted."""
    services.retry_failed(campaign_id=campaign)
    say_account(context.django_command, campaign, as_json=json)


def whole_number_or_none(text: str) -> int:
    """Read messages a second; 0 stands for “none”, no pace of its own.

    Raises:
        BadParameter: it is neither.
    """
    if text == "none":
        return 0
    if not text.isdecimal() or int(text) < 1:
        message = f"{text!r} is neither a whole number from 1 nor “none”."
        raise BadParameter(message)
    return int(text)


@answering
def set_rate(
    context: Context,
    campaign: CampaignId,
    rate: Annotated[
        int,
        Argument(parser=whole_number_or_none, metavar="RATE", help="Messages a second, or “none”."),
    ],
    *,
    json: AsJson = False,
) -> None:
    """Change its own pace, also while it is sent."""
    services.set_rate_limit(campaign_id=campaign, rate_limit_per_second=rate or None)
    say_account(context.django_command, campaign, as_json=json)
