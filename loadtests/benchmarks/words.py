"""What figures are called for people; programs find them in the JSON under their own names."""

from __future__ import annotations

WORDS = {
    "messages_per_s": "messages/s",
    "messages_per_cpu_s": "messages per CPU-second",
    "cpu_us": "processor time a message, µs",
    "engine_cpu_us": "processor time a message, all of the engine, µs",
    "cpu_us_per_message": "processor time a message, µs",
    "peak_rss_mb": "memory at most, MB",
    "wal_bytes_per_device": "write-ahead log, bytes a device",
    "ledger_bytes_per_device": "ledger, bytes a device",
    "elapsed_s": "launch to completed, s",
    "http_429": "refused for the quota (429)",
    "answered_ms": "/send/ answered, ms",
    "first_accepted_ms": "first acceptance, ms",
    "first_accepted_worst_ms": "first acceptance, the slowest, ms",
    "planned_per_s": "devices planned/s",
    "settled_per_s": "devices settled/s",
    "batches_per_s": "batches settled/s",
    "bare_copy_rows_per_s": "bare COPY, rows/s",
    "import_rows_per_s": "import into an empty table, rows/s",
    "mostly_changed_rows_per_s": "import, 90 % there and changed, rows/s",
    "mostly_unchanged_rows_per_s": "import, 90 % there unchanged, rows/s",
    "share_of_bare_copy": "import by bare COPY",
}


def words_of(figure: str) -> str:
    """Return a figure's name in words; the parts of `outer, inner` each in theirs."""
    return ", ".join(WORDS.get(part, part) for part in figure.split(", "))


def without_unit(figure: str) -> str:
    """Return a figure's name in words, for charts, whose titles say the unit."""
    return words_of(figure).rpartition(", ")[0] or words_of(figure)
