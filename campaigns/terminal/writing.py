"""Writing campaigns: from flags, or from a file with the fields of the API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from django_typer.management import Context
from typer import BadParameter, Option

from campaigns.api.serializers import CampaignSerializer
from campaigns.drafts import create_campaign, refuse_unfit
from campaigns.models import PushCampaign
from campaigns.terminal.arguments import answering, say_account
from devices.terminal import AsJson, say_json
from devices.terminal_fields import checked, fields_of, given
from pushcore.messages import Priority
from pushcore.retry import Guarantee


@answering
def create(
    context: Context,
    *,
    file: Annotated[
        Path | None,
        Option(help="YAML or JSON with the API's fields; flags go first.", show_default=False),
    ] = None,
    title: Annotated[str | None, Option(help="The headline.", show_default=False)] = None,
    message: Annotated[str | None, Option(help="The text below it.", show_default=False)] = None,
    priority: Annotated[
        Priority | None, Option(help="Urgent ones go first.", show_default="normal")
    ] = None,
    image_url: Annotated[str | None, Option(help="A picture.", show_default=False)] = None,
    link_url: Annotated[str | None, Option(help="What a tap opens.", show_default=False)] = None,
    data: Annotated[
        list[str] | None, Option(metavar="KEY=VALUE", help="As often as needed.")
    ] = None,
    target_all: Annotated[bool, Option("--target-all", help="It is for everybody.")] = False,
    user: Annotated[
        list[str] | None, Option(metavar="ID", help="It is for this user; as often as needed.")
    ] = None,
    segment: Annotated[int | None, Option(help="Id of a segment.", show_default=False)] = None,
    user_list: Annotated[int | None, Option(help="Id of a list.", show_default=False)] = None,
    exclude_segment: Annotated[
        int | None, Option(help="Id of a segment to leave out.", show_default=False)
    ] = None,
    exclude_user_list: Annotated[
        int | None, Option(help="Id of a list to leave out.", show_default=False)
    ] = None,
    time_to_live_s: Annotated[
        int | None,
        Option(help="How long FCM keeps it for a device that is off.", show_default=False),
    ] = None,
    rate: Annotated[
        int | None, Option(help="Messages a second at most.", show_default=False)
    ] = None,
    guarantee: Annotated[
        Guarantee | None,
        Option(help="What to do where nobody knows: repeat, or not.", show_default="at_least_once"),
    ] = None,
    expires_at: Annotated[
        str | None,
        Option(
            metavar="TIME",
            help="Nothing is sent after, such as 2027-01-31T18:00+01:00.",
            show_default=False,
        ),
    ] = None,
    local_time: Annotated[
        bool, Option("--local-time", help="At each device's own time of day.")
    ] = False,
    zone: Annotated[
        str | None,
        Option(
            "--timezone",
            help="IANA's name: whose clock the time to start is read on.",
            show_default="UTC",
        ),
    ] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Only check it; save nothing.")] = False,
    json: AsJson = False,
) -> None:
    """Save a draft, and show it."""
    flags = {
        "title": title,
        "message": message,
        "priority": priority and priority.value,
        "image_url": image_url,
        "link_url": link_url,
        "data_payload": dict(map(_pair, data)) if data else None,
        "target_all": target_all or None,
        "target_user_ids": user or None,
        "segment": segment,
        "user_list": user_list,
        "exclude_segment": exclude_segment,
        "exclude_user_list": exclude_user_list,
        "time_to_live_s": time_to_live_s,
        "rate_limit_per_second": rate,
        "guarantee": guarantee and guarantee.value,
        "expires_at": expires_at,
        "local_time": local_time or None,
        "timezone": zone,
    }
    wanted = (fields_of(file) if file else {}) | given(flags)
    fields = checked(CampaignSerializer(data=wanted))
    now = timezone.now()
    if dry_run:
        refuse_unfit(PushCampaign(**fields), now=now)
        _say_it_fits(context, as_json=json)
        return
    campaign = create_campaign(user=AnonymousUser(), now=now, **fields)
    say_account(context.django_command, campaign.pk, as_json=json)


def _say_it_fits(context: Context, *, as_json: bool) -> None:
    if as_json:
        say_json(context.django_command, {"valid": True})
    else:
        context.django_command.stdout.write("It could be sent like this. Nothing was saved.")


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        message = f"--data {text!r} is not KEY=VALUE."
        raise BadParameter(message)
    return key, value
