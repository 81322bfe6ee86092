"""What each part of the engine costs, as measured on two cores (docs/performance.md)."""

from __future__ import annotations

from dataclasses import dataclass

BATCH = 500
"""Devices of a batch (`settings.BATCH_SIZE`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Processor seconds, and seconds of waiting, of one batch of 500."""

    send_cpu: float = BATCH * 51e-6
    """The sending process, from rendering to parsed answers; libcurl is two thirds of it."""
    settle_cpu: float = 4.0e-3
    """The sending process, around its statements: claim, addresses, settlement."""
    message_cpu: float = 2.0e-3
    """Celery's main process on the worker's machine, for the batch's message."""
    database_cpu: float = 4.6e-3
    """PostgreSQL: planning its row, claim, addresses, settlement."""
    counters_s: float = 1.0e-3
    """How long a settlement holds the campaign's row: its UPDATE, and the flush of the commit.
    Assumed for a good SSD: one campaign settles a thousand batches a second at most."""
    broker_cpu: float = 0.5e-3
    """Redis: the message, its result and the chord's counter. One process: one core, always."""
    emulator_cpu: float = BATCH * 18e-6
    """The emulated provider; only where it shares the machine. The real one is elsewhere."""
    aside_cpu: float = 0.0
    """Web server, beat and whoever watches; only where they share the machine. In the figures taken
    by hand it stands in the others'."""
    latency_s: float = 0.020
    """From request to answer."""
    in_flight: int = 500
    """Messages a process has under way: a batch takes one latency, not five hundred."""
    plan_s: float = 0.7e-3
    """Before the first batch can go, per batch of the first slice; the rest is planned beside."""


MEASURED = Costs()
FIRST_SLICE = 100
"""Batches planned before the first is published."""
