"""What each part of the engine costs, as measured on two cores (docs/performance.md)."""

from __future__ import annotations

from dataclasses import dataclass

BATCH = 500
"""Devices of a batch (`settings.BATCH_SIZE`)."""
FIRST_SLICE, SLICE = 20, 400
"""Batches of a lane's first slice, and of the largest; until then each has twice of what the lane
has so far (`campaigns.planner`)."""
MICROS = BATCH * 1e-6
"""Seconds a batch, of a microsecond a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Processor seconds, and seconds of waiting, of one batch of 500."""

    send_cpu: float = 24.9 * MICROS
    """The sending process: rendering, sending, reading answers, its side of the statements."""
    message_cpu: float = 3.8 * MICROS
    """Celery's main process on the worker's machine, for the batch's message."""
    database_cpu: float = 11.6 * MICROS
    """PostgreSQL: its share of the plan, claim, addresses, settlement."""
    broker_cpu: float = 1.4 * MICROS
    """Redis: the message, its result and the chord's counter. One process: one core, always."""
    emulator_cpu: float = 12.8 * MICROS
    """The emulated provider; only where it shares the machine. The real one is elsewhere."""
    aside_cpu: float = 2.4 * MICROS
    """Web server, beat, whoever watches, and the kernel on nobody's account; only where all share
    one machine."""
    plan_cpu: float = 1.1 * MICROS
    """PostgreSQL, for the plan alone; of `database_cpu`. One process plans a campaign, and waits
    for it."""
    publish_cpu: float = 1.4 * MICROS
    """That process, for publishing the batch's message; of `send_cpu`."""
    flush_s: float = 1.0e-3
    """Until a commit is on the disk. A claim waits for one; a settlement holds the campaign's row
    of counters for one, so a campaign settles a thousand batches a second at most."""
    latency_s: float = 0.020
    """From request to answer; a process has a whole batch under way, so it waits once for it."""
    quota_used: float = 0.98
    """The share of a quota that the pace comes to."""


MEASURED = Costs()
