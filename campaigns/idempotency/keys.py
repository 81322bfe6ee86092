"""The same request twice has one effect, and one answer: what stands behind `Idempotency-Key`.

    KeyRefused
    ├── KeyMalformed    it is no key
    ├── KeyReused       another request was made under it
    └── KeyInFlight     the first request under it has not been answered yet, or never will be

Only what succeeded is kept: a refused request has changed nothing, so that its key stays free.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction
from django.db.models import QuerySet

from campaigns.idempotency.models import KeptAnswer

KEPT_FOR: Final = timedelta(hours=24)
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


class KeyRefused(Exception):
    """The request was not made, because of its idempotency key."""


class KeyMalformed(KeyRefused):
    """A key has 1 to 255 printable ASCII characters, without spaces."""


class KeyReused(KeyRefused):
    """Another request was made under this key, of which this is no repetition."""


class KeyInFlight(KeyRefused):
    """The first request under this key is being worked on, or was cut off before its answer."""


@dataclass(frozen=True)
class Request:
    """One call, as it is told from others."""

    caller: str
    """Whose key it is: two callers may use the same."""
    key: str
    method: str
    path: str
    body: object
    """The body as parsed: two writings of one value are the same request."""

    def fingerprint(self) -> bytes:
        """Return what two calls have in common only where they ask for the same."""
        asked = [self.method, self.path, self.body]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).digest()


@dataclass(frozen=True)
class Answer:
    """What was answered to a request that succeeded."""

    status_code: int
    body: str
    headers: Mapping[str, str]
    is_replayed: bool = False


def answer_once(request: Request, *, now: datetime, work: Callable[[], Answer]) -> Answer:
    """Do the work, or return what was answered when it was done.

    Work and record are one transaction: whatever dies in between, both are there or neither.

    Raises:
        KeyRefused: the work was not done; the subclass says why.
        Exception: whatever `work` raises; the key is free again.
    """
    with transaction.atomic():
        kept = _claim(request, now=now)
        return _replay(request, kept) if kept else _record(request, work())


def answer_after_claim(
    request: Request,
    *,
    now: datetime,
    work: Callable[[], Answer],
    refusals: tuple[type[Exception], ...],
) -> Answer:
    """Do work whose effect no transaction can take back, such as a message to a phone.

    The record is committed before the work. What ends it but a refusal (which says that nothing
    was done, and frees the key) leaves the key in flight until it is forgotten: nobody can know
    whether the effect took place, and it must not take place twice.

    Raises:
        KeyRefused: the work was not done; the subclass says why.
        Exception: whatever `work` raises.
    """
    with transaction.atomic():
        kept = _claim(request, now=now)
    if kept:
        return _replay(request, kept)
    try:
        answer = work()
    except refusals:
        _kept(request).delete()
        raise
    return _record(request, answer)


def purge_forgotten(*, now: datetime) -> int:
    """Forget what was asked longer than `KEPT_FOR` ago; return how many requests that were."""
    deleted, _ = KeptAnswer.objects.filter(created_at__lte=now - KEPT_FOR).delete()
    return deleted


def _claim(request: Request, *, now: datetime) -> KeptAnswer | None:
    """Make the request's row; return the row that was there instead, if one was.

    Raises:
        KeyMalformed: the key is none.
        KeyInFlight: another transaction is about to make it.
    """
    if not _KEY.fullmatch(request.key):
        raise KeyMalformed(KeyMalformed.__doc__)
    if _made(request, now=now):
        return None
    kept = _kept(request).first()
    if kept is not None and kept.created_at > now - KEPT_FOR:
        return kept
    _kept(request).delete()
    if not _made(request, now=now):  # the constraint has the last word
        raise KeyInFlight(KeyInFlight.__doc__)
    return None


# The lock is a short cut to the constraint's word: without it a second INSERT would wait until the
# first one's transaction has ended.
_MAKE: Final = """
WITH lock AS (SELECT pg_try_advisory_xact_lock(%s) AS is_mine),
     made AS (
       INSERT INTO idempotency_keptanswer (caller, key, fingerprint, body, headers, created_at)
       SELECT %s, %s, %s, '', '{}', %s FROM lock WHERE is_mine
           ON CONFLICT DO NOTHING
       RETURNING id)
SELECT is_mine, (SELECT count(*) FROM made) FROM lock
"""


def _made(request: Request, *, now: datetime) -> bool:
    """Make the request's row, unless there is one; return whether this call made it.

    Raises:
        KeyInFlight: another transaction is about to make it.
    """
    name = json.dumps([request.caller, request.key]).encode()
    lock = int.from_bytes(hashlib.sha256(name).digest()[:8], "big", signed=True)
    values = lock, request.caller, request.key, request.fingerprint(), now
    with connection.cursor() as cursor:
        cursor.execute(_MAKE, values)
        [is_mine, count] = cursor.fetchone()
    if not is_mine:
        raise KeyInFlight(KeyInFlight.__doc__)
    return bool(count == 1)


def _replay(request: Request, kept: KeptAnswer) -> Answer:
    if bytes(kept.fingerprint) != request.fingerprint():
        raise KeyReused(KeyReused.__doc__)
    if kept.status_code is None:
        raise KeyInFlight(KeyInFlight.__doc__)
    return Answer(kept.status_code, kept.body, kept.headers, is_replayed=True)


def _record(request: Request, answer: Answer) -> Answer:
    _kept(request).update(
        status_code=answer.status_code, body=answer.body, headers=dict(answer.headers)
    )
    return answer


def _kept(request: Request) -> QuerySet[KeptAnswer]:
    return KeptAnswer.objects.filter(caller=request.caller, key=request.key)
