"""Making channels, changing them, and keeping what is secret in them."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Annotated, Final

from django.utils import timezone
from django_typer.management import Context
from typer import Argument, Option, prompt

from campaigns.notifications import channels
from campaigns.notifications.api.serializers import (
    ChannelChangeSerializer,
    ChannelSerializer,
    NewChannelSerializer,
)
from campaigns.notifications.models import Channel, ChannelKind, Event
from campaigns.notifications.terminal.arguments import (
    ChannelId,
    answering,
    find_channel,
    say_channel,
)
from campaigns.notifications.unsubscribing import is_unsubscribed
from devices.terminal import AsJson, Yes, ask, say_facts, say_json, say_table
from devices.terminal_fields import checked, given

_HOUR: Final = timedelta(hours=1)
_FROM_STDIN: Final = "-"
Events = Annotated[
    list[Event] | None,
    Option("--event", help="It is told of this; as often as needed.", show_default="all"),
]


@answering
def create(
    context: Context,
    name: Annotated[str, Argument(help="What it is called.", show_default=False)],
    kind: Annotated[ChannelKind, Argument(help="How it is reached.", show_default=False)],
    target: Annotated[
        str,
        Argument(
            help="An e-mail address, an Apprise URL, or a webhook's https URL; “-”: asked for,"
            " unseen, or read from stdin, as it may hold a secret."
        ),
    ] = _FROM_STDIN,
    *,
    event: Events = None,
    json: AsJson = False,
) -> None:
    """Tell somebody from now on. A webhook's secret is shown this once."""
    given_fields = {"name": name, "kind": kind.value, "target": _target(target)}
    wanted = given_fields | given({"events": _values(event)})
    fields = checked(NewChannelSerializer(data=wanted))
    channel, secret = channels.create_channel(now=timezone.now(), **fields)
    say_channel(context.django_command, channel, as_json=json, secret=secret)


@answering
def show_list(context: Context, *, json: AsJson = False) -> None:
    """List the channels, and whether they are reached."""
    found = Channel.objects.order_by("pk")
    if json:
        say_json(context.django_command, ChannelSerializer(found, many=True).data)
        return
    columns = ["id", "kind", "state", "leads to", "name"]
    rows = [
        (str(one.pk), one.kind, _state_of(one), one.address or one.url_hint, one.name)
        for one in found
    ]
    say_table(context.django_command, columns, rows)


@answering
def show(context: Context, channel: ChannelId, *, json: AsJson = False) -> None:
    """Show one: where it leads, what it is told of, and why it is off."""
    say_channel(context.django_command, find_channel(channel), as_json=json)


@answering
def change(
    context: Context,
    channel: ChannelId,
    *,
    name: Annotated[str | None, Option(help="Its new name.", show_default=False)] = None,
    target: Annotated[
        str | None,
        Option(help="Its new address or URL; “-” as for create.", show_default=False),
    ] = None,
    event: Events = None,
    active: Annotated[
        bool | None,
        Option("--on/--off", help="Switch it on again, or off.", show_default=False),
    ] = None,
    json: AsJson = False,
) -> None:
    """Change it; what is left out stays."""
    flags = {
        "name": name,
        "target": None if target is None else _target(target),
        "events": _values(event),
        "is_active": active,
    }
    fields = checked(ChannelChangeSerializer(data=given(flags)))
    changed = channels.change_channel(channel_id=find_channel(channel).pk, **fields)
    say_channel(context.django_command, changed, as_json=json)


@answering
def delete(context: Context, channel: ChannelId, *, yes: Yes = False) -> None:
    """Tell it nothing more, and forget what it was told. It asks first."""
    found = find_channel(channel)
    if not yes:
        ask(f"Delete the channel “{found.name}” and its delivery log?")
    found.delete()
    context.django_command.stdout.write(f"The channel “{found.name}” is deleted.")


@answering
def renew_secret(
    context: Context,
    channel: ChannelId,
    *,
    overlap_hours: Annotated[
        float,
        Option(
            min=0,
            max=channels.MAX_OVERLAP / _HOUR,
            help="How long the old one signs as well; 0 for one that leaked.",
        ),
    ] = channels.OVERLAP / _HOUR,
    json: AsJson = False,
) -> None:
    """Sign a webhook by another secret. It is shown this once."""
    secret = channels.renew_secret(
        channel_id=find_channel(channel).pk, now=timezone.now(), overlap=overlap_hours * _HOUR
    )
    say = say_json if json else say_facts
    say(context.django_command, {"secret": secret})


@answering
def rotate_keys(context: Context) -> None:
    """Encrypt URLs and secrets anew, under the first of FERNET_KEYS."""
    count = channels.reseal_all(now=timezone.now())
    context.django_command.stdout.write(f"{count} channels are under the first key now.")


def _target(typed: str) -> str:
    if typed != _FROM_STDIN:
        return typed
    if sys.stdin.isatty():
        return str(prompt("Address or URL", hide_input=True, err=True))
    return sys.stdin.readline().strip()


def _values(events: list[Event] | None) -> list[str] | None:
    return [one.value for one in events] if events else None


def _state_of(channel: Channel) -> str:
    if not channel.is_active:
        return f"off: {channel.disabled_reason}"
    if channel.failing_since:
        return f"not reached since {channel.failing_since:%Y-%m-%d %H:%M}Z"
    return "unsubscribed by its reader" if is_unsubscribed(channel.address) else "on"
