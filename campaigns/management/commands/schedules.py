"""`manage.py schedules …`: campaigns that come again, from a terminal."""

from __future__ import annotations

from django_typer.management import Typer

from campaigns.terminal import scheduling

app: Typer[..., None] = Typer(help="Let campaigns come again.", no_args_is_help=True)

app.command()(scheduling.create)
app.command()(scheduling.preview)
app.command("list")(scheduling.show_list)
app.command()(scheduling.show)
app.command()(scheduling.upcoming)
app.command()(scheduling.runs)
app.command()(scheduling.pause)
app.command()(scheduling.resume)
app.command()(scheduling.delete)
