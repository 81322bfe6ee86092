"""`manage.py campaign …`: write campaigns, look at them and steer them from a terminal."""

from __future__ import annotations

from django_typer.management import Typer

from campaigns.terminal import exporting, looking, rehearsing, steering, writing

app: Typer[..., None] = Typer(
    help="Write campaigns, look at them and steer them.", no_args_is_help=True
)

app.command()(writing.create)
app.command()(rehearsing.estimate)
app.command()(rehearsing.preview)
app.command("test")(rehearsing.send_test)

app.command("list")(looking.show_list)
app.command()(looking.show)
app.command()(looking.status)
app.command()(exporting.export)

app.command()(steering.send)
app.command()(steering.schedule)
app.command()(steering.unschedule)
app.command()(steering.pause)
app.command()(steering.resume)
app.command()(steering.cancel)
app.command("retry-failed")(steering.retry_failed)
app.command("set-rate")(steering.set_rate)
