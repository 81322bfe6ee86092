"""What every command of the terminal keeps to: exit codes, refusals in a sentence, JSON, tables.

| exit code | meaning |
| --- | --- |
| 0 | done |
| 1 | refused, by a rule or as it can't be read: nothing has changed |
| 3 | there is no such thing |
| 4 | PostgreSQL or Redis can't be reached, or is not set up |
| 130 | stopped by Ctrl-C |
| 141 | nobody reads its output any more |
"""

from __future__ import annotations

import functools
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import IntEnum
from typing import IO, Annotated, Any, Final, NoReturn, ParamSpec, TypeVar, cast

from django.core.exceptions import ObjectDoesNotExist
from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import InterfaceError, OperationalError, ProgrammingError
from django.db.models import Model, QuerySet
from redis.exceptions import ConnectionError as RedisConnectionError
from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from typer import Abort, Option, confirm

Given = ParamSpec("Given")
Result = TypeVar("Result")
Row = TypeVar("Row", bound=Model)

AsJson = Annotated[bool, Option("--json", help="For programs: JSON on stdout.")]
Yes = Annotated[bool, Option("--yes", "-y", help="Do not ask.")]
_FRACTION: Final = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d+Z$")
"""Of a moment as the API writes it: no person wants its microseconds."""


class ExitCode(IntEnum):
    """What a command's exit status says; the parser's own words for wrong usage are a refusal."""

    DONE = 0
    REFUSED = 1
    MISSING = 3
    UNREACHABLE = 4
    INTERRUPTED = 130
    UNREAD = 141


def telling_refusals(
    *refusals: type[Exception],
) -> Callable[[Callable[Given, Result]], Callable[Given, Result]]:
    """Decorate a command so that what it raises ends it with one sentence and the right status.

    `refusals` are the domain's errors whose text says why; a missing row and a server that is away
    are told for every command.
    """

    def decorate(command: Callable[Given, Result]) -> Callable[Given, Result]:
        @functools.wraps(command)
        def told(*args: Given.args, **kwargs: Given.kwargs) -> Result:
            with _refusals_as_exits(refusals):
                return command(*args, **kwargs)

        return told

    return decorate


@contextmanager
def _refusals_as_exits(refusals: tuple[type[Exception], ...]) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # an OSError, but nothing is refused
        leave_unread()
    except refusals as refusal:
        raise CommandError(str(refusal), returncode=ExitCode.REFUSED) from refusal
    except ObjectDoesNotExist as missing:
        raise CommandError(str(missing), returncode=ExitCode.MISSING) from missing
    except (OperationalError, InterfaceError) as error:
        raise _unreachable("PostgreSQL", error) from error
    except ProgrammingError as error:
        message = f"The database is not of this version (manage.py migrate?): {_first_line(error)}"
        raise CommandError(message, returncode=ExitCode.UNREACHABLE) from error
    except RedisConnectionError as error:
        raise _unreachable("Redis", error) from error


def leave_unread() -> NoReturn:
    """End because whoever read the output has seen enough, as `head` has; without a word.

    What is still buffered goes nowhere: else Python would complain of it at its end.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(ExitCode.UNREAD)


def _unreachable(server: str, error: Exception) -> CommandError:
    has_answered = getattr(error.__cause__, "pgcode", None) is not None  # its disk is full, say
    trouble = "can't go on" if has_answered else "can't be reached"
    message = f"{server} {trouble}: {_first_line(error)}"
    return CommandError(message, returncode=ExitCode.UNREACHABLE)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def find(rows: QuerySet[Row], words: str, **key: object) -> Row:
    """Return the row with this key; `words` name it to a person.

    Raises:
        ObjectDoesNotExist: there is none, in words; the model's own.
    """
    try:
        return rows.get(**key)
    except ObjectDoesNotExist as missing:
        message = f"There is no {words}."
        raise type(missing)(message) from None


def ask(question: str) -> None:
    """Go on only after a yes.

    Raises:
        CommandError: it was no, or nobody was there to answer.
    """
    try:
        agreed = confirm(question, err=True)
    except Abort as left:
        if isinstance(left.__context__, KeyboardInterrupt):
            message = "\nNothing was done."
            raise CommandError(message, returncode=ExitCode.INTERRUPTED) from None
        raise CommandError(
            "\nNobody said yes; --yes goes on without asking.", returncode=ExitCode.REFUSED
        ) from None
    if not agreed:
        raise CommandError("Nothing was done.", returncode=ExitCode.REFUSED)


def duration(seconds: float) -> str:
    """Return how long that is, as exactly as a person wants to know it."""
    if seconds < 120:
        return f"{seconds:,.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60:,} h {minutes % 60} min"


def screen_of(command: BaseCommand) -> Console:
    """Return a console on the command's stdout; where nobody watches, no line is ever folded."""
    command.stdout.ending = ""  # the console ends its own lines
    width = None if command.stdout.isatty() else 1_000
    return Console(file=cast("IO[str]", command.stdout), highlight=False, width=width)


def say_json(command: BaseCommand, value: object) -> None:
    """Write one JSON value, on a line of its own."""
    command.stdout.write(json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False), ending="\n")


def say_table(
    command: BaseCommand, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """Write rows under their columns' names; whole numbers stand right and in groups of three."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    shown = [list(row) for row in rows]
    for index, column in enumerate(columns):
        is_number = bool(shown) and all(_is_number(row[index]) for row in shown)
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for row in shown:
        table.add_row(*map(_in_words, row))
    print_bare(command, table)


def say_facts(command: BaseCommand, facts: Mapping[str, object]) -> None:
    """Write what is known of one thing, a name and its value a line; empty values are left out."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        if value not in (None, "", [], {}):
            # An id is a name, to be typed as it stands.
            is_id = name == "id" or name.endswith("_id")
            table.add_row(name, str(value) if is_id else _in_words(value))
    print_bare(command, table)


def print_bare(command: BaseCommand, *shown: RenderableType) -> None:
    """Print without blanks at the ends of lines."""
    console = screen_of(command)
    with console.capture() as captured:
        console.print(*shown, sep="\n")
    for line in captured.get().splitlines():
        command.stdout.write(line.rstrip(), ending="\n")


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _in_words(value: Any) -> str:
    if _is_number(value):
        return f"{value:,}"
    match value:
        case None:
            words = "–"
        case bool():
            words = "yes" if value else "no"
        case datetime():
            words = f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"
        case dict() | list():
            words = json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)
        case _:
            words = _FRACTION.sub(r"\1Z", str(value))
    return words
