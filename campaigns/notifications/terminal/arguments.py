"""The words that several actions take, and how a channel is shown."""

from __future__ import annotations

from typing import Annotated

from django.core.management.base import BaseCommand
from django_typer.completers.model import ModelObjectCompleter
from typer import Argument

from campaigns.notifications.api.serializers import ChannelSerializer
from campaigns.notifications.channels import ChannelError
from campaigns.notifications.models import Channel
from campaigns.notifications.sealing import Sealed
from devices.terminal import find, say_facts, say_json, telling_refusals

ChannelId = Annotated[
    int,
    Argument(
        help="The channel's id.",
        show_default=False,
        shell_complete=ModelObjectCompleter(Channel, help_field="name", order_by="-pk"),
    ),
]
answering = telling_refusals(ChannelError, Sealed)
"""Decorates an action: a refusal of the domain ends it with its sentence."""


def find_channel(channel_id: int) -> Channel:
    """Return the channel.

    Raises:
        Channel.DoesNotExist: there is none, in words.
    """
    return find(Channel.objects.all(), f"channel {channel_id}", pk=channel_id)


def say_channel(command: BaseCommand, channel: Channel, *, as_json: bool, secret: str = "") -> None:
    """Show a channel; with a webhook's secret, where it is new."""
    shown = dict(ChannelSerializer(channel).data) | ({"secret": secret} if secret else {})
    if as_json:
        say_json(command, shown)
        return
    say_facts(command, shown | {"events": " ".join(shown["events"])})
    if secret:
        command.stderr.write("Keep the secret now: it is shown this once.")
