"""Every metric, declared once. No label carries a campaign or an address: both grow without end.

Workers are forked processes. With the environment variable `PROMETHEUS_MULTIPROC_DIR` naming a
folder of one machine (emptied at start, writable for all its processes) their values are summed at
scraping by `prometheus_client.multiprocess.MultiProcessCollector`; `multiprocess_mode` says how a
gauge's values become one. Without it each process shows its own.

On the hot path nothing is counted per message: `count_batch` takes a batch's counts at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from pushcore.outcomes import Outcome

SENDS: Final = Counter(
    "pushcore_sends_total",
    "Devices by what became of them in one try; pending are those to be tried again.",
    ["project", "priority", "outcome"],
)
RETRIES: Final = Counter(
    "pushcore_retries_total",
    "Messages sent that had been tried before.",
    ["project", "priority"],
)
BATCH_SECONDS: Final = Histogram(
    "pushcore_batch_seconds",
    "Seconds from the first message of a batch to its last answer, waiting for quota included.",
    ["project", "priority"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 240),
)
REQUEST_SECONDS: Final = Histogram(
    "pushcore_request_seconds",
    "Seconds from a message's start to the end of its answer; a sample, one of sixteen.",
    ["project"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15),
)
IN_FLIGHT: Final = Gauge(
    "pushcore_in_flight",
    "Messages started and not yet answered.",
    ["project"],
    multiprocess_mode="livesum",
)
PACE_WAITED_SECONDS: Final = Counter(
    "pushcore_pace_waited_seconds_total",
    "Seconds that batches waited for permission to send, by what limited them.",
    ["project", "priority", "limit"],
)
QUOTA_REFUSALS: Final = Counter(
    "pushcore_quota_refusals_total",
    "Answers 429, by whether the project's quota or one device's was used up.",
    ["project", "scope"],
)
BREAKER_OPEN: Final = Gauge(
    "pushcore_breaker_open",
    "1 where the last batch of a process was stopped by that trouble.",
    ["project", "trouble"],
    multiprocess_mode="livemax",
)
ACCOUNT_DRIFT: Final = Gauge(
    "pushcore_account_drift_devices",
    "Devices by which campaigns' counters and their ledgers differ; anything but 0 is a bug.",
    multiprocess_mode="mostrecent",
)
ACCOUNT_AUDITED: Final = Gauge(
    "pushcore_account_audited_timestamp_seconds",
    "When the regular audit last compared the two, in seconds since the epoch.",
    multiprocess_mode="mostrecent",
)


def count_batch(
    *, project: str, priority: str, counts: Mapping[int, int], retried: int, seconds: float
) -> None:
    """Count one batch: `counts` is how many of its devices have each outcome (of `Outcome`)."""
    for outcome, number in counts.items():
        SENDS.labels(project, priority, Outcome(outcome).name.lower()).inc(number)
    RETRIES.labels(project, priority).inc(retried)
    BATCH_SECONDS.labels(project, priority).observe(seconds)
