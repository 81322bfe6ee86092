"""Checks side by side: none hides another, whatever becomes of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import datetime
from typing import NoReturn

import pytest
from django.db import OperationalError, ProgrammingError
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from campaigns.doctor.examination import Check, examine, worst_of
from campaigns.doctor.findings import Finding, Level, critical, ok, warning
from tests.cast import NOW


def saying(finding: Finding) -> Check:
    return lambda _now: [finding]


def failing(error: Exception) -> Check:
    def check(_now: datetime) -> NoReturn:
        raise error

    return check


def test_all_are_run_at_once_and_told_in_order() -> None:
    both = threading.Barrier(2)

    def check(_now: datetime) -> Sequence[Finding]:
        both.wait(timeout=10)
        return [ok("met")]

    examined = examine({"a": check, "b": check}, now=NOW, within_s=20)
    assert [(one.check, one.findings) for one in examined] == [
        ("a", [ok("met")]),
        ("b", [ok("met")]),
    ]


def test_one_that_hangs_is_left_and_the_others_are_told() -> None:
    release = threading.Event()

    def hang(_now: datetime) -> Sequence[Finding]:
        release.wait(timeout=30)
        return [ok("late")]

    began = time.monotonic()
    hung, fine = examine({"hung": hang, "fine": saying(ok("well"))}, now=NOW, within_s=0.3)
    assert time.monotonic() - began < 5
    release.set()
    [finding] = hung.findings
    assert (finding.level, finding.title) == (Level.CRITICAL, "No answer within 0.3 s.")
    assert fine.findings == [ok("well")]


@pytest.mark.parametrize(
    ("error", "title", "advice"),
    [
        (
            OperationalError("no route\nmore"),
            "PostgreSQL can't be asked: no route",
            "Start it, or mend DATABASE_URL; then look again.",
        ),
        (
            RedisConnectionError("refused"),
            "Redis can't be asked: refused",
            "Start it, or mend REDIS_URL; then look again.",
        ),
        (
            ResponseError("OOM command not allowed"),
            "Redis answers with an error: OOM command not allowed",
            "Look at its memory, its disk, and whether it is a replica.",
        ),
        (
            BrokerError("refused"),
            "The broker can't be asked: refused",
            "Start it, or mend CELERY_BROKER_URL; then look again.",
        ),
        (
            ProgrammingError("no such table"),
            "The database is not of this version: no such table",
            "Run: manage.py migrate",
        ),
        (KeyError("odd"), "The check failed: KeyError: 'odd'", "Report this."),
    ],
)
def test_what_is_away_is_named_with_what_to_do(error: Exception, title: str, advice: str) -> None:
    examined = examine({"a": failing(error), "b": saying(ok("well"))}, now=NOW, within_s=5)
    assert examined[0].findings == [critical(title, advice)]
    assert examined[1].findings == [ok("well")]


def test_the_worst_finding_counts() -> None:
    checks = {"a": saying(ok("1")), "b": saying(warning("2", "do")), "c": saying(ok("3"))}
    assert worst_of(examine(checks, now=NOW, within_s=5)) is Level.WARNING
    checks["d"] = saying(critical("4", "do"))
    assert worst_of(examine(checks, now=NOW, within_s=5)) is Level.CRITICAL
    assert worst_of([]) is Level.OK
