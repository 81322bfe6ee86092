"""`manage.py devices`: import a file, look devices up, deactivate them, clean up."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count
from django.utils import timezone

from devices import services
from devices.importing import Progress, import_devices
from devices.models import DeviceToken
from devices.projects import UnknownProject
from devices.reading import FileFormat, FileRefused

_FORMATS: Final = {
    ".csv": FileFormat.CSV,
    ".ndjson": FileFormat.NDJSON,
    ".jsonl": FileFormat.NDJSON,
}
_SHOWN: Final = (
    "pk",
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


class Command(BaseCommand):
    """One action per subcommand; each is one call into the domain."""

    help = "Import devices, look them up, deactivate them, clean up."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the actions."""
        actions = parser.add_subparsers(dest="action", required=True)
        load = actions.add_parser("import", help="merge a CSV or NDJSON file into the devices")
        load.add_argument("file", type=Path)
        load.add_argument("--format", choices=[one.value for one in FileFormat])
        load.add_argument("--project", help="FCM project of the rows that name none")
        load.add_argument("--rejects", type=Path, help="where the rejected rows go, as CSV")
        load.add_argument("--json", action="store_true", help="the account as one JSON object")
        prune = actions.add_parser("prune", help="deactivate devices not seen for long")
        prune.add_argument(
            "--days", type=int, default=270, help="default 270: then Android's tokens expire"
        )
        prune.add_argument("--dry-run", action="store_true", help="only say how many")
        show = actions.add_parser("show", help="show a device, or a user's devices")
        which = show.add_mutually_exclusive_group(required=True)
        which.add_argument("id", type=int, nargs="?")
        which.add_argument("--user")
        actions.add_parser("stats", help="count the devices of each project")
        deactivate = actions.add_parser("deactivate", help="send to these devices no more")
        deactivate.add_argument("id", type=int, nargs="+")

    def handle(self, *_: Any, action: str, **options: Any) -> None:
        """Do the action; CommandError in one sentence where it cannot be done."""
        actions = {
            "import": self._import,
            "prune": self._prune,
            "show": self._show,
            "stats": self._stats,
            "deactivate": self._deactivate,
        }
        actions[action](options)

    def _import(self, options: dict[str, Any]) -> None:
        path: Path = options["file"]
        file_format = options["format"] or _FORMATS.get(path.suffix.lower())
        if file_format is None:
            raise CommandError("Say what the file is: --format csv or --format ndjson.")
        if options["rejects"] and options["rejects"].resolve() == path.resolve():
            raise CommandError("The rejects must not overwrite the file.")
        began_at = time.monotonic()
        try:
            with path.open("rb") as source, _writable(options["rejects"]) as rejects:
                done = import_devices(
                    source=source,
                    file_format=FileFormat(file_format),
                    project=options["project"],
                    rejects=rejects,
                    now=timezone.now(),
                    on_progress=_Bar(self.stderr, path.stat().st_size),
                )
        except (OSError, FileRefused, UnknownProject) as exc:
            raise CommandError(str(exc)) from exc
        self._tell(done, time.monotonic() - began_at, as_json=options["json"])

    def _tell(self, done: Progress, elapsed_s: float, *, as_json: bool) -> None:
        account = {"rows": done.rows, "rejected": done.rejected, **asdict(done.merged)}
        if as_json:
            self.stdout.write(json.dumps(account | {"elapsed_s": round(elapsed_s, 3)}))
            return
        for name, count in account.items():
            self.stdout.write(f"{name:10} {count:>12,}")
        self.stdout.write(f"{done.rows / elapsed_s:,.0f} rows/s, {elapsed_s:.1f} s")

    def _prune(self, options: dict[str, Any]) -> None:
        if options["days"] < 1:
            raise CommandError("--days must be 1 or more.")
        now = timezone.now()
        before = now - timedelta(days=options["days"])
        if options["dry_run"]:
            self.stdout.write(f"{services.count_stale(before=before):,} devices are stale.")
            return
        count = services.deactivate_stale(before=before, now=now)
        self.stdout.write(f"{count:,} stale devices are deactivated.")

    def _show(self, options: dict[str, Any]) -> None:
        chosen = {"user_id": options["user"]} if options["user"] else {"pk": options["id"]}
        devices = list(DeviceToken.objects.filter(**chosen).order_by("pk").values(*_SHOWN))
        if not devices:
            raise CommandError("There is no such device.")
        for device in devices:
            device["project"] = device.pop("project__project_id")
            self.stdout.write(json.dumps(device, default=str, ensure_ascii=False))

    def _stats(self, _: dict[str, Any]) -> None:
        groups = ("project__project_id", "platform", "is_active", "inactive_reason")
        counts = DeviceToken.objects.values_list(*groups).annotate(Count("pk")).order_by(*groups)
        for project, platform, is_active, reason, count in counts:
            state = "active" if is_active else reason
            self.stdout.write(f"{project:30} {platform:8} {state:14} {count:>12,}")

    def _deactivate(self, options: dict[str, Any]) -> None:
        now, count = timezone.now(), 0
        for device_id in options["id"]:
            try:
                count += services.deactivate_device(device_id=device_id, now=now)
            except DeviceToken.DoesNotExist:
                raise CommandError(f"There is no device {device_id}.") from None
        self.stdout.write(f"{count} devices are deactivated.")


class _Bar:
    """One line on a terminal that says how far the import is; nothing where nobody watches."""

    def __init__(self, stream: Any, total_bytes: int) -> None:
        self._stream = stream
        self._total_bytes = max(total_bytes, 1)
        self._next_at = 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if not sys.stderr.isatty() or now < self._next_at:
            return
        self._next_at = now + 0.5
        merged = progress.merged
        done = merged.created + merged.updated + merged.unchanged + merged.repeated
        share = progress.bytes_read / self._total_bytes
        self._stream.write(
            f"\rread {share:4.0%}, {progress.rows:,} rows, {progress.rejected:,} rejected;"
            f" merged {done:,} ",
            ending="",
        )


@contextmanager
def _writable(path: Path | None) -> Iterator[IO[str] | None]:
    if path is None:
        yield None
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        yield file
