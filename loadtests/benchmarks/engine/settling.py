"""How fast the ledger is planned and settled, without anything being sent, and what it weighs.

`python -m loadtests.benchmarks.engine.settling --devices 1000000 --processes 4` prints one JSON
object. It works in a database of its own on the server that `DATABASE_URL` names, or on embedded
ones, and drops it. Every batch is claimed, filled with answers as the provider gives them (2 % dead
devices), and settled by the engine's own functions.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from threading import BrokenBarrierError
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from loadtests.benchmarks.databases import checkpoint, own_database
from loadtests.benchmarks.engine.processors import Kind, Processors
from loadtests.benchmarks.engine.program import run
from scripts.embedded import running_servers

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

    from campaigns.entry import Entry
    from devices.models import FcmProject

DATABASE = "pushcore_settling_benchmark"
DEAD_EVERY = 50
LEASE_S = 60.0
LIMIT_S = 3_600.0
"""Past that somebody hangs."""


def measure(*, devices: int, processes: int) -> dict[str, Any]:
    """Measure on the database that the environment names: an empty one."""
    import django

    django.setup()
    from django.core.management import call_command

    from devices.models import FcmProject
    from scripts.demo_run.audience import prepare_devices
    from scripts.demo_run.projects import PROJECT

    def micros(cpu_s: float) -> float:
        return round(cpu_s / devices * 1e6, 2)

    call_command("migrate", verbosity=0)
    project = FcmProject.objects.create(project_id=PROJECT, credentials="env:NONE")
    prepare_devices(projects=[project], count=devices, seed=0, on_progress=lambda _done: None)
    checkpoint()
    with Processors() as planning:
        began_at = time.monotonic()
        batch_ids = _plan(project)
        planned_s = time.monotonic() - began_at
    before = _written_bytes()
    settled_s, seconds = _settle_all(batch_ids, processes=processes)
    after = _written_bytes()
    return {
        "devices": devices,
        "planned_per_s": round(devices / planned_s),
        "settled_per_s": round(devices / settled_s),
        "batches_per_s": round(len(batch_ids) / settled_s, 1),
        "ledger_bytes_per_device": round(_ledger_bytes() / devices, 1),
        "wal_bytes_per_device": round((after - before) / devices, 1),
        "cpu_us": {
            "PostgreSQL, planning": micros(planning.seconds()[Kind.POSTGRES]),
            "PostgreSQL, settling": micros(seconds[Kind.POSTGRES]),
            "settling processes": micros(seconds[Kind.BENCHMARK]),
        },
    }


def _plan(project: FcmProject) -> list[int]:
    """Start a campaign to everybody and plan all of it; return the batches' ids."""
    from campaigns import planner, transitions
    from campaigns.models import DeliveryBatch, Lane, PushCampaign

    now = datetime.now(UTC)
    campaign = PushCampaign.objects.create(title="Good news", message="Read.", target_all=True)
    transitions.start(campaign_id=campaign.pk, task_id=uuid4(), now=now)
    planner.open_lanes(campaign=campaign, now=now)
    lane = Lane.objects.get(campaign=campaign, project=project)
    while planner.plan_next_slice(campaign=campaign, lane_id=lane.pk, now=now):
        pass
    batches = DeliveryBatch.objects.filter(campaign=campaign).order_by("seq")
    return list(batches.values_list("pk", flat=True))


def _settle_all(batch_ids: Sequence[int], *, processes: int) -> tuple[float, dict[Kind, float]]:
    """Settle the batches, dealt to the processes; return seconds, and processor seconds by kind."""
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(processes + 1, timeout=LIMIT_S)
    workers = [
        context.Process(target=_settle, args=(batch_ids[first::processes], together), daemon=True)
        for first in range(processes)
    ]
    for worker in workers:
        worker.start()
    try:
        together.wait()  # all are set up
        with Processors() as processors:
            together.wait()
            began_at = time.monotonic()
            together.wait()  # all is settled
            elapsed_s = time.monotonic() - began_at
        together.wait()  # they may leave: gone, their processor time could not be read
    except BrokenBarrierError:
        raise SystemExit("A process that settled failed: see above.") from None
    for worker in workers:
        worker.join()
    return elapsed_s, processors.seconds()


def _settle(batch_ids: Sequence[int], together: Barrier) -> None:
    try:
        import django

        django.setup()
        from django.db import connection

        connection.ensure_connection()
        together.wait()
        together.wait()
        for batch_id in batch_ids:
            _settle_batch(batch_id)
        together.wait()
        together.wait()
    except BaseException:
        together.abort()
        raise


def _settle_batch(batch_id: int) -> None:
    from campaigns.ledger import claim_pending_batch, settle_held_batch

    now = datetime.now(UTC)
    entry = claim_pending_batch(batch_id=batch_id, now=now, lease_s=LEASE_S)
    if entry is None:
        raise SystemExit(f"Batch {batch_id} could not be claimed.")
    _fill(entry)
    if not settle_held_batch(entry, now=now):
        raise SystemExit(f"Batch {batch_id} could not be settled.")


def _fill(entry: Entry) -> None:
    """Write what a provider answers: message ids of FCM's form, and some dead devices."""
    from pushcore.outcomes import Outcome
    from scripts.demo_run.audience import PLATFORMS, address_of

    for place, device_id in enumerate(entry.device_ids):
        if device_id % DEAD_EVERY:
            entry.outcomes[place] = int(Outcome.SUCCESS)
            entry.message_ids[place] = f"0:{1_700_000_000_000_000 + device_id}%{device_id:08x}"
        else:
            entry.settle_device(place, Outcome.INVALID_TOKEN, code="UNREGISTERED", detail="")
            entry.dead.append((device_id, address_of(0, device_id - 1)))
    platforms = [PLATFORMS[(device_id - 1) % len(PLATFORMS)] for device_id in entry.device_ids]
    entry.sent = Counter(zip(platforms, entry.outcomes, strict=True))


def _written_bytes() -> int:
    return _number("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")


def _ledger_bytes() -> int:
    return _number("SELECT pg_total_relation_size('campaigns_deliverybatch')")


def _number(query: str) -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(query)
        return int(cursor.fetchone()[0])


def main() -> None:
    """Measure as the command line says; print the result as JSON."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.benchmarks.engine.settling")
    parser.add_argument("--devices", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=4)
    options = parser.parse_args()

    def run_in_own_database() -> dict[str, Any]:
        with (
            running_servers("benchmark", owner="the benchmark of settling") as servers,
            own_database(servers.database_url, name=DATABASE) as url,
        ):
            os.environ |= {
                "DATABASE_URL": url,
                "REDIS_URL": servers.redis_url,
                "DJANGO_SETTINGS_MODULE": "settings.dev",
            }
            return measure(devices=options.devices, processes=options.processes)

    run(run_in_own_database)


if __name__ == "__main__":
    main()
