"""`manage.py notifications`: what administrators do with channels that no API call should."""

from __future__ import annotations

from django.utils import timezone
from django_typer.management import Context, Typer

from campaigns.notifications import channels
from campaigns.notifications.sealing import Sealed
from devices.terminal import telling_refusals

app: Typer[..., None] = Typer(help="Notification channels.", no_args_is_help=True)


@app.callback()
def notifications() -> None:
    """Notification channels."""


@app.command("rotate-keys")
@telling_refusals(Sealed)
def rotate_keys(context: Context) -> None:
    """Encrypt URLs and secrets anew, under the first of FERNET_KEYS."""
    count = channels.reseal_all(now=timezone.now())
    context.django_command.stdout.write(f"{count} channels are under the first key now.")
