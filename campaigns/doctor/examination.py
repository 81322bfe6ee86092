"""Runs checks side by side, each bounded in time: a server that hangs hides nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError, InterfaceError, ProgrammingError, connection
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError, ResponseError

from campaigns.doctor.findings import Finding, Level, critical

Check = Callable[[datetime], Sequence[Finding]]


@dataclass(frozen=True)
class Examined:
    """A check's name and what it found."""

    check: str
    findings: Sequence[Finding]


def examine(checks: Mapping[str, Check], *, now: datetime, within_s: float) -> list[Examined]:
    """Run the checks at once, each in a thread of its own; return what each found, in order.

    One that has not ended `within_s` seconds later is left alone, and that is what it found. Its
    thread ends with the process.
    """
    found: dict[str, Sequence[Finding]] = {}
    threads = {
        name: threading.Thread(target=_run, args=(name, check, now, found), daemon=True)
        for name, check in checks.items()
    }
    for thread in threads.values():
        thread.start()
    until = time.monotonic() + within_s
    for thread in threads.values():
        thread.join(max(0.0, until - time.monotonic()))
    hung = critical(f"No answer within {within_s:g} s.", "Look whether its server is overloaded.")
    return [Examined(name, found.get(name) or [hung]) for name in checks]


def worst_of(examined: Sequence[Examined]) -> Level:
    """Return the worst level that was found."""
    return max((one.level for each in examined for one in each.findings), default=Level.OK)


def _run(name: str, check: Check, now: datetime, found: dict[str, Sequence[Finding]]) -> None:
    try:
        found[name] = check(now)
    except ProgrammingError as exc:
        words = f"The database is not of this version: {_first_line(exc)}"
        found[name] = [critical(words, "Run: manage.py migrate")]
    except (DatabaseError, InterfaceError) as exc:
        found[name] = [_away("PostgreSQL", "DATABASE_URL", exc)]
    except ResponseError as exc:
        words = f"Redis answers with an error: {_first_line(exc)}"
        found[name] = [
            critical(words, "Look at its memory, its disk, and whether it is a replica.")
        ]
    except RedisError as exc:
        found[name] = [_away("Redis", "REDIS_URL", exc)]
    except (BrokerError, OSError) as exc:
        found[name] = [_away("The broker", "CELERY_BROKER_URL", exc)]
    except Exception as exc:  # noqa: BLE001 - a check that is broken must not hide the others
        found[name] = [critical(f"The check failed: {type(exc).__name__}: {exc}", "Report this.")]
    finally:
        connection.close()


def _away(server: str, setting: str, error: Exception) -> Finding:
    return critical(
        f"{server} can't be asked: {_first_line(error)}",
        f"Start it, or mend {setting}; then look again.",
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
