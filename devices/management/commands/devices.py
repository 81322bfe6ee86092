"""`manage.py devices …`: import and export files, look devices up, deactivate them, clean up."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import IO, Annotated, Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count
from django.utils import timezone
from django_typer.management import Context, Typer
from typer import Argument, Option

from devices import services
from devices.exporting import export_devices
from devices.importing import Progress, import_devices
from devices.models import DeviceToken
from devices.projects import UnknownProject
from devices.reading import FileFormat, FileRefused
from devices.terminal import (
    AsJson,
    ExitCode,
    say_facts,
    say_json,
    say_table,
    telling_refusals,
)

app: Typer[..., None] = Typer(
    help="Import and export devices, look them up, deactivate them, clean up.",
    no_args_is_help=True,
)
answering = telling_refusals(OSError, FileRefused, UnknownProject)

_FORMATS: Final = {
    ".csv": FileFormat.CSV,
    ".ndjson": FileFormat.NDJSON,
    ".jsonl": FileFormat.NDJSON,
}
_SHOWN: Final = (
    "id",
    "project__project_id",
    "user_id",
    "platform",
    "is_active",
    "inactive_reason",
    "language",
    "country",
    "timezone",
    "app_version",
    "tags",
    "last_seen_at",
    "address",
)

Format = Annotated[
    FileFormat | None, Option("--format", help="Default: by the file's name.", show_default=False)
]


@app.command("import")
@answering
def import_file(
    context: Context,
    file: Annotated[Path, Argument(help="A CSV with a header, or NDJSON; /dev/stdin for a pipe.")],
    *,
    file_format: Format = None,
    project: Annotated[
        str | None, Option(help="FCM project of rows that name none.", show_default=False)
    ] = None,
    rejects: Annotated[
        Path | None, Option(help="Where rejected rows go, as CSV.", show_default=False)
    ] = None,
    json: AsJson = False,
) -> None:
    """Merge a file into the devices; safe to run again."""
    command = context.django_command
    if rejects and rejects.resolve() == file.resolve():
        raise CommandError("The rejects must not overwrite the file.", returncode=ExitCode.REFUSED)
    began_at = time.monotonic()
    try:
        with (
            file.open("rb") as source,
            _writable(rejects) as refused,
            _Bar(command.stderr, file.stat().st_size) as bar,
        ):
            done = import_devices(
                source=source,
                file_format=_format_of(file, file_format),
                project=project,
                rejects=refused,
                now=timezone.now(),
                on_progress=bar.show,
            )
    except KeyboardInterrupt:
        message = "Stopped. What is merged stays; the same command does the rest."
        raise CommandError(message, returncode=ExitCode.INTERRUPTED) from None
    _tell(command, done, time.monotonic() - began_at, as_json=json)
    if done.rejected and not rejects:
        hint = f"{done.rejected:,} rows are rejected; --rejects FILE says why."
        command.stderr.write(hint, style_func=str)


@app.command("export")
@answering
def export_file(
    context: Context,
    file: Annotated[Path, Argument(help="Made anew; it holds whole addresses, readable by you.")],
    *,
    file_format: Format = None,
    project: Annotated[
        str | None, Option(help="Only this FCM project's.", show_default=False)
    ] = None,
    everything: Annotated[bool, Option("--all", help="Inactive devices, too.")] = False,
    json: AsJson = False,
) -> None:
    """Write the active devices to a file that `import` reads."""
    chosen = _format_of(file, file_format)
    with open(file, "xb", opener=_for_us_alone) as out:
        count = export_devices(
            out=out, file_format=chosen, project=project, only_active=not everything
        )
    if json:
        say_json(context.django_command, {"exported": count})
    else:
        context.django_command.stdout.write(f"{count:,} devices are exported.")


@app.command()
@answering
def prune(
    context: Context,
    *,
    days: Annotated[int, Option(min=1, help="After 270, Android's tokens expire.")] = 270,
    dry_run: Annotated[bool, Option("--dry-run", help="Only say how many.")] = False,
    json: AsJson = False,
) -> None:
    """Deactivate devices not seen for long."""
    now = timezone.now()
    before = now - timedelta(days=days)
    if dry_run:
        count, words = services.count_stale(before=before), "devices are stale"
    else:
        count, words = (
            services.deactivate_stale(before=before, now=now),
            "stale devices are deactivated",
        )
    if json:
        say_json(context.django_command, {"stale": count, "deactivated": 0 if dry_run else count})
    else:
        context.django_command.stdout.write(f"{count:,} {words}.")


@app.command()
@answering
def show(
    context: Context,
    device: Annotated[int | None, Argument(help="Its id.", show_default=False)] = None,
    *,
    user: Annotated[str | None, Option(help="All of this user's.", show_default=False)] = None,
    json: AsJson = False,
) -> None:
    """Show a device, or a user's devices."""
    if (device is None) == (user is None):
        raise CommandError("Name a device by its id, or a user by --user.", returncode=1)
    chosen = {"pk": device} if user is None else {"user_id": user}
    found = list(DeviceToken.objects.filter(**chosen).order_by("pk").values(*_SHOWN))
    if not found:
        raise CommandError("There is no such device.", returncode=ExitCode.MISSING)
    for one in found:
        one["project"] = one.pop("project__project_id")
    if json:
        say_json(context.django_command, found)
        return
    for one in found:
        say_facts(context.django_command, one)


@app.command()
@answering
def stats(context: Context, *, json: AsJson = False) -> None:
    """Count the devices of each project."""
    groups = ("project__project_id", "platform", "is_active", "inactive_reason")
    counts = DeviceToken.objects.values_list(*groups).annotate(Count("pk")).order_by(*groups)
    columns = ["project", "platform", "state", "devices"]
    rows = [
        (project, platform, "active" if is_active else reason, count)
        for project, platform, is_active, reason, count in counts
    ]
    if json:
        say_json(context.django_command, [dict(zip(columns, row, strict=True)) for row in rows])
    else:
        say_table(context.django_command, columns, rows)


@app.command()
@answering
def deactivate(
    context: Context,
    devices: Annotated[list[int], Argument(metavar="ID…", help="The devices' ids.")],
    *,
    json: AsJson = False,
) -> None:
    """Send to these devices no more."""
    now, count = timezone.now(), 0
    for device_id in devices:
        try:
            count += services.deactivate_device(device_id=device_id, now=now)
        except DeviceToken.DoesNotExist:
            message = f"There is no device {device_id}."
            raise CommandError(message, returncode=ExitCode.MISSING) from None
    if json:
        say_json(context.django_command, {"deactivated": count})
    else:
        context.django_command.stdout.write(f"{count:,} devices are deactivated.")


def _for_us_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _format_of(path: Path, said: FileFormat | None) -> FileFormat:
    if known := said or _FORMATS.get(path.suffix.lower()):
        return known
    message = "Say what the file is: --format csv or --format ndjson."
    raise CommandError(message, returncode=ExitCode.REFUSED)


def _tell(command: BaseCommand, done: Progress, elapsed_s: float, *, as_json: bool) -> None:
    account = {"rows": done.rows, "rejected": done.rejected, **asdict(done.merged)}
    if as_json:
        say_json(command, account | {"elapsed_s": round(elapsed_s, 3)})
        return
    say_facts(command, account)
    command.stdout.write(f"{done.rows / elapsed_s:,.0f} rows/s, {elapsed_s:.1f} s", ending="\n")


class _Bar:
    """One line on a terminal that says how far the import is; nothing where nobody watches."""

    def __init__(self, stream: Any, total_bytes: int) -> None:
        self._stream = stream
        self._total_bytes = total_bytes
        self._next_at = 0.0

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._next_at:
            self._stream.write("")  # what follows has lines of its own

    def show(self, progress: Progress) -> None:
        """Write the line anew, now and then."""
        now = time.monotonic()
        if not sys.stderr.isatty() or now < self._next_at:
            return
        self._next_at = now + 0.5
        merged = progress.merged
        done = merged.created + merged.updated + merged.unchanged + merged.repeated
        share = f"{progress.bytes_read / self._total_bytes:4.0%}, " if self._total_bytes else ""
        self._stream.write(
            f"\rread {share}{progress.rows:,} rows, {progress.rejected:,} rejected;"
            f" merged {done:,} ",
            style_func=str,  # it is no error
            ending="",
        )


@contextmanager
def _writable(path: Path | None) -> Iterator[IO[str] | None]:
    if path is None:
        yield None
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        yield file
