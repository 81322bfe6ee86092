"""Gathering the account: the engine's log, device by device, held against the receipts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from django.db import connection, transaction

from devices.models import DeviceToken, InactiveReason
from loadtests.fcm_emulator.control import EmulatorControl
from scripts.demo_run.account import Account, Receipts
from scripts.demo_run.api import Json

CHUNK = 20_000
LOG = """
SELECT log.status, device.address
  FROM campaigns_pushlog AS log LEFT JOIN devices_devicetoken AS device ON device.id = log.device_id
 WHERE log.campaign_id = %s
"""


def compare(
    *,
    campaign_id: int,
    control: EmulatorControl,
    on_progress: Callable[[int], None],
) -> Receipts:
    """Ask the emulator for the receipt of every device in the campaign's log."""
    log: Counter[str] = Counter()
    unfounded = unlogged = done = 0
    for rows in _log_rows(campaign_id):
        counts = control.counts([address for _, address in rows])
        for (status, _), count in zip(rows, counts, strict=True):
            log[status] += 1
            unfounded += status == "success" and count == 0
            unlogged += status in ("invalid", "failed", "skipped") and count > 0
        done += len(rows)
        on_progress(done)
    stats = control.stats()
    return Receipts(log, unfounded, unlogged, stats["accepted_unique"], stats["accepted_twice"])


def _log_rows(campaign_id: int) -> Iterator[list[tuple[str, str]]]:
    """Yield the log's (status, address) in chunks, by a server-side cursor: memory stays flat."""
    connection.ensure_connection()
    with transaction.atomic(), connection.connection.cursor(name="demo_log") as cursor:
        cursor.itersize = CHUNK
        cursor.execute(LOG, [campaign_id])
        while rows := cursor.fetchmany(CHUNK):
            yield [(status, address or "") for status, address in rows]


def write_deactivated(path: Path) -> None:
    """Write id, platform and address of every device that was deactivated, a line each."""
    dead = DeviceToken.objects.filter(inactive_reason=InactiveReason.DEAD_ADDRESS).order_by("pk")
    with path.open("w", encoding="ascii") as file:
        for pk, platform, address in dead.values_list("pk", "platform", "address").iterator():
            file.write(f"{pk}\t{platform}\t{address}\n")


def draw_up(*, devices: int, stats: Json, receipts: Receipts, peak_bytes: int) -> Account:
    """Put `/stats/` and the receipts together."""
    begin, end = (datetime.fromisoformat(stats[key]) for key in ("started_at", "completed_at"))
    elapsed_s = (end - begin).total_seconds()
    deactivated = DeviceToken.objects.filter(inactive_reason=InactiveReason.DEAD_ADDRESS).count()
    return Account(
        devices=devices,
        total_recipients=stats["total_recipients"],
        success=stats["success"],
        failure=stats["failure"],
        invalid=stats["invalid"],
        unknown=stats["unknown"],
        skipped=stats["skipped"],
        deactivated=deactivated,
        accepted=receipts.accepted,
        accepted_twice=receipts.accepted_twice,
        missing=max(devices - sum(receipts.log.values()), 0)
        + receipts.log["pending"]
        + receipts.unfounded,
        elapsed_s=round(elapsed_s, 3),
        messages_per_s=round(stats["sent"] / elapsed_s, 1) if elapsed_s else 0.0,
        peak_rss_mb=round(peak_bytes / 2**20, 1),
    )
