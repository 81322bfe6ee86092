"""`manage.py channels …`: who is told what of campaigns, and whether it arrived."""

from __future__ import annotations

from django_typer.management import Typer

from campaigns.notifications.terminal import keeping, telling

app: Typer[..., None] = Typer(
    help="Who is told when a campaign completes, fails, is paused or stands still.",
    no_args_is_help=True,
)

app.command()(keeping.create)
app.command("list")(keeping.show_list)
app.command()(keeping.show)
app.command()(keeping.change)
app.command()(keeping.delete)
app.command("renew-secret")(keeping.renew_secret)
app.command("rotate-keys")(keeping.rotate_keys)

app.command("test")(telling.send_test)
app.command()(telling.deliveries)
app.command()(telling.delivery)
app.command()(telling.replay)
