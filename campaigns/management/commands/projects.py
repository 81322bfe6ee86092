"""`manage.py projects …`: FCM projects, from a terminal."""

from __future__ import annotations

from django_typer.management import Typer

from campaigns.terminal import projects

app: Typer[..., None] = Typer(
    help="FCM projects: quota, credentials, the pace in force.", no_args_is_help=True
)

app.command()(projects.create)
app.command()(projects.change)
app.command("list")(projects.show_list)
app.command()(projects.show)
