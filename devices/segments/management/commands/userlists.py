"""`manage.py userlists …`: lists of user ids, from a terminal."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated, Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django_typer.completers.model import ModelObjectCompleter
from django_typer.management import Context, Typer
from typer import Argument, Option

from devices.segments import lists
from devices.segments.api.serializers import NewListSerializer, UserListSerializer
from devices.segments.errors import SegmentError
from devices.segments.models import UserList
from devices.segments.reading import ListFormat
from devices.terminal import (
    AsJson,
    ExitCode,
    Yes,
    ask,
    find,
    say_facts,
    say_json,
    say_table,
    telling_refusals,
)
from devices.terminal_fields import checked
from devices.uploads import UploadRefused

app: Typer[..., None] = Typer(
    help="Lists of user ids, for segments and campaigns.", no_args_is_help=True
)
answering = telling_refusals(SegmentError, UploadRefused, OSError)

_FORMATS: Final = {
    ".txt": ListFormat.TEXT,
    ".csv": ListFormat.CSV,
    ".ndjson": ListFormat.NDJSON,
    ".jsonl": ListFormat.NDJSON,
}
ListId = Annotated[
    int,
    Argument(
        help="The list's id.",
        show_default=False,
        shell_complete=ModelObjectCompleter(UserList, help_field="name", order_by="-pk"),
    ),
]


@app.command()
@answering
def create(
    context: Context,
    name: Annotated[str, Argument(help="What it is called.", show_default=False)],
    file: Annotated[Path, Argument(help="An id a line, a CSV with `user_id`, or NDJSON.")],
    *,
    file_format: Annotated[
        ListFormat | None,
        Option("--format", help="Default: by the file's name.", show_default=False),
    ] = None,
    description: Annotated[str, Option(help="What it is for.", show_default=False)] = "",
    json: AsJson = False,
) -> None:
    """Take in a file of ids; a worker reads it."""
    fields = checked(NewListSerializer(data={"name": name, "description": description}))
    with file.open("rb") as stream:
        record = lists.take_list(
            stream=stream,
            size=file.stat().st_size,
            file_format=_format_of(file, file_format),
            user_id=None,
            now=timezone.now(),
            **fields,
        )
    _say_list(context.django_command, record, as_json=json)


@app.command("list")
@answering
def show_list(context: Context, *, json: AsJson = False) -> None:
    """List them, the newest first."""
    shown = [_as_dict(one) for one in UserList.objects.order_by("-pk")]
    if json:
        say_json(context.django_command, shown)
        return
    columns = ["id", "status", "size", "rejected", "name"]
    rows = [[str(one["id"]), *(one[column] for column in columns[1:])] for one in shown]
    say_table(context.django_command, columns, rows)


@app.command()
@answering
def show(context: Context, user_list: ListId, *, json: AsJson = False) -> None:
    """Show how far one is read, and what of it was rejected."""
    _say_list(context.django_command, _found(user_list), as_json=json)


@app.command()
@answering
def rejects(user_list: ListId) -> None:
    """Write its rejected lines as CSV: line, reason and the line itself."""
    path = _found(user_list).rejects_path
    if not path.exists():
        message = "There are no rejects, or they are kept no longer."
        raise CommandError(message, returncode=ExitCode.MISSING)
    with path.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.flush()


@app.command()
@answering
def delete(context: Context, user_list: ListId, *, yes: Yes = False) -> None:
    """Delete one that no segment and no unfinished campaign needs. It asks first."""
    name = _found(user_list).name
    if not yes:
        ask(f"Delete the list “{name}”?")
    lists.delete_list(list_id=user_list)
    context.django_command.stdout.write(f"The list “{name}” is deleted.")


def _format_of(path: Path, said: ListFormat | None) -> ListFormat:
    if known := said or _FORMATS.get(path.suffix.lower()):
        return known
    message = "Say what the file is: --format text, csv or ndjson."
    raise CommandError(message, returncode=ExitCode.REFUSED)


def _found(list_id: int) -> UserList:
    return find(UserList.objects.all(), f"list {list_id}", pk=list_id)


def _as_dict(record: UserList) -> dict[str, Any]:
    """Return what the API says of it, but for where its rejects are to be had over HTTP."""
    shown = dict(UserListSerializer(record).data)
    del shown["rejects"]
    return shown


def _say_list(command: BaseCommand, record: UserList, *, as_json: bool) -> None:
    say = say_json if as_json else say_facts
    say(command, _as_dict(record))
