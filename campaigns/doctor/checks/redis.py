"""Redis: whether it answers, keeps what it has, and shows the same time as the others."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import redis
from django.conf import settings
from django.db import connection

from campaigns.doctor.findings import Finding, critical, ok, warning

_FULL: Final = 0.9
_SKEW_WARNING_S: Final = 1.0
_SKEW_CRITICAL_S: Final = 5.0
"""A third of a lease: workers would take over from each other."""


def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)


def check_answers(_now: datetime) -> Sequence[Finding]:
    """Look whether Redis answers."""
    with _client() as client:
        client.ping()
    return [ok("Redis answers.")]


def check_redis(_now: datetime) -> Sequence[Finding]:
    """Look whether Redis may forget what stands in it."""
    with _client() as client:
        info: dict[str, Any] = client.info()
    found = [*_policy(info), *_persistence(info), *_room(info)]
    used = int(info["used_memory"]) >> 20
    return found or [ok(f"Redis {info['redis_version']} keeps what it has; {used:,} MiB used.")]


def _policy(info: dict[str, Any]) -> list[Finding]:
    policy = info.get("maxmemory_policy", "noeviction")
    if policy == "noeviction":
        return []
    return [
        critical(
            f"Redis may throw messages away: maxmemory-policy is {policy}.",
            "Set maxmemory-policy noeviction.",
        )
    ]


def _persistence(info: dict[str, Any]) -> list[Finding]:
    if not int(info.get("aof_enabled", 0)):
        return [
            warning(
                "Redis has no append-only file: a restart loses the messages in it.",
                "Set appendonly yes; until then the rescue publishes again what is lost.",
            )
        ]
    if info.get("aof_last_write_status", "ok") != "ok":
        return [critical("Redis can't write its append-only file.", "Look at its disk.")]
    return []


def _room(info: dict[str, Any]) -> list[Finding]:
    used, most = int(info["used_memory"]), int(info.get("maxmemory", 0))
    if not most or used < _FULL * most:
        return []
    return [
        critical(
            f"Redis is nearly full: {used >> 20:,} of {most >> 20:,} MiB.",
            "Raise maxmemory: full, it refuses messages and nothing is sent.",
        )
    ]


def check_clocks(_now: datetime) -> Sequence[Finding]:
    """Compare the clocks of this machine, PostgreSQL and Redis."""
    skews = {"PostgreSQL": _skew(_database_time), "Redis": _skew(_redis_time)}
    worst = max(abs(skew) for skew in skews.values())
    words = ", ".join(f"{server} {skew:+.1f} s" for server, skew in skews.items())
    if worst < _SKEW_WARNING_S:
        return [ok("The clocks agree.")]
    judge = critical if worst >= _SKEW_CRITICAL_S else warning
    return [judge(f"Clocks differ from this machine's: {words}.", "Let NTP run on all of them.")]


def _skew(read: Any) -> float:
    """Return by how much the other clock is ahead of this one, as of the middle of the asking."""
    before = time.time()
    there = read()
    return float(there - (before + time.time()) / 2)


def _database_time() -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")  # connecting takes time, which is none of the clock's
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        row = cursor.fetchone()
    return float(row[0]) if row else 0.0


def _redis_time() -> float:
    with _client() as client:
        seconds, micros = client.time()
    return float(seconds) + float(micros) / 1e6
