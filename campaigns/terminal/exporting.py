"""Who got what, as a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

from django.core.management.base import CommandError
from django_typer.management import Context
from typer import Option

from campaigns.deliveries import Wanted, all_deliveries
from campaigns.export import FileFormat, written
from campaigns.models import PushLog
from campaigns.terminal.arguments import CampaignId, answering, find_campaign
from devices.terminal import ExitCode


@answering
def export(
    context: Context,
    campaign: CampaignId,
    *,
    output: Annotated[
        Path | None,
        Option("--output", "-o", help="Made anew; else to stdout.", show_default=False),
    ] = None,
    file_format: Annotated[FileFormat, Option("--format")] = FileFormat.CSV,
    status: Annotated[
        list[PushLog.Status] | None,
        Option(help="Only with this outcome; as often as needed.", show_default=False),
    ] = None,
) -> None:
    """Write who got what: a line for each device, streamed."""
    find_campaign(campaign)
    wanted = Wanted(campaign_id=campaign, statuses=[one.value for one in status or ()])
    with _opened(output) as file:
        for piece in written(all_deliveries(wanted), file_format=file_format):
            file.write(piece)
    if output:
        context.django_command.stderr.write(f"{output} is written.")


@contextmanager
def _opened(path: Path | None) -> Iterator[IO[bytes]]:
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    try:
        file = path.open("xb")
    except FileExistsError:
        message = f"{path} exists already, and is left as it is."
        raise CommandError(message, returncode=ExitCode.REFUSED) from None
    with file:
        yield file
