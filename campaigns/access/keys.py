"""What is done with API keys: issued, rotated, revoked, and recognised in each request.

KeyRefused
├── KeyNotUsable       it is revoked or expired: there is nothing to rotate
├── AlreadyRotated     it was rotated before
└── ExpiresInPast      the moment has passed
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import Q
from rest_framework_api_key.crypto import KeyGenerator

from campaigns.access.models import ApiKey, KeyState
from campaigns.access.scopes import Scope

logger = logging.getLogger(__name__)

_GENERATOR: Final = KeyGenerator()
"""Makes 32 random letters and digits behind a prefix of 8, hashed by SHA-512: as nobody can guess
so many, a hash that is slow on purpose would only slow each request down."""
_SHAPE: Final = re.compile(r"[A-Za-z0-9]{8}\.[A-Za-z0-9]{32}")
OVERLAP: Final = timedelta(days=1)
"""How long a rotated key goes on opening what it opened, unless said otherwise."""
_USE_NOTED_EVERY: Final = timedelta(minutes=1)


class KeyRefused(Exception):
    """What was asked of a key can't be done."""


class KeyNotUsable(KeyRefused):
    """A key that opens nothing any more is not rotated: it would come back to life."""

    def __init__(self, key: ApiKey, state: KeyState) -> None:
        super().__init__(f"The key {key.prefix} is {state}; issue a new one instead.")


class AlreadyRotated(KeyRefused):
    """A key is rotated once; whoever wants another rotates the one that replaced it."""

    def __init__(self, key: ApiKey, successor: ApiKey) -> None:
        super().__init__(f"The key {key.prefix} was rotated before, into {successor.prefix}.")


class ExpiresInPast(KeyRefused):
    """A key must expire at a moment to come."""

    def __init__(self, expires_at: datetime) -> None:
        super().__init__(f"It would have expired already, {expires_at.isoformat()}.")


def create_key(
    *,
    name: str,
    scopes: Iterable[Scope],
    owner: User,
    now: datetime,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Issue a key in the owner's name; return it, and its text, which is kept nowhere.

    Raises:
        ExpiresInPast: it would open nothing.
    """
    if expires_at is not None and expires_at <= now:
        raise ExpiresInPast(expires_at)
    return _issue(name=name, scopes=sorted(set(scopes)), created_by=owner, expires_at=expires_at)


def rotate_key(*, key_id: int, now: datetime, overlap: timedelta = OVERLAP) -> tuple[ApiKey, str]:
    """Issue a key that may do the same in the same name; the old one opens things for `overlap`.

    A key that was to expire is followed by one that lives as long as it was given to.

    Raises:
        KeyNotUsable: it is revoked or expired.
        AlreadyRotated: it was rotated before.
        ApiKey.DoesNotExist: there is no such key.
    """
    with transaction.atomic():
        old = _locked(key_id)
        if successor := ApiKey.objects.filter(replaces=old).first():
            raise AlreadyRotated(old, successor)
        if (state := old.state(now=now)) != KeyState.ACTIVE:
            raise KeyNotUsable(old, state)
        new, text = _issue(
            name=old.name,
            scopes=old.scopes,
            created_by=old.created_by,
            expires_at=None if old.expires_at is None else now + (old.expires_at - old.created_at),
            replaces=old,
        )
        old.expires_at = min(now + overlap, old.expires_at or now + overlap)
        old.save(update_fields=["expires_at"])
    return new, text


def revoke_key(*, key_id: int, now: datetime) -> ApiKey:
    """Have the key open nothing from now on, for good; one that is revoked stays as it is.

    Raises:
        ApiKey.DoesNotExist: there is no such key.
    """
    with transaction.atomic():
        key = _locked(key_id)
        if key.revoked_at is None:
            key.revoked_at = now
            key.save(update_fields=["revoked_at"])
    return key


# By hand, and without asking first whether the connection is alive: each request comes by here.
_FIND = """
SELECT key.id, key.name, key.prefix, key.hashed_key, key.scopes, key.created_by_id,
       key.last_used_at, owner.is_superuser, owner.username, owner.is_active
  FROM access_apikey AS key JOIN auth_user AS owner ON owner.id = key.created_by_id
 WHERE key.prefix = %s AND key.revoked_at IS NULL AND owner.is_active
   AND (key.expires_at IS NULL OR key.expires_at > %s)
"""
# Each in the order of its model, as `from_db` takes them.
_OF_KEY: Final = (
    *("id", "name", "prefix", "hashed_key", "scopes"),
    *("created_by_id", "last_used_at"),
)
_OF_OWNER: Final = ("id", "is_superuser", "username", "is_active")


def find_usable_key(text: str, *, now: datetime) -> ApiKey | None:
    """Return the key of this text, with its owner, if it opens anything; costs one query.

    A key of somebody whose account is inactive opens nothing.
    """
    if not _SHAPE.fullmatch(text):
        return None
    row = _first_row(_FIND, [text.partition(".")[0], now])  # prefixes are unique
    if row is None:
        return None
    key = ApiKey.from_db(connection.alias, _OF_KEY, row[: len(_OF_KEY)])
    if not _GENERATOR.verify(text, key.hashed_key):
        return None
    owner = (key.created_by_id, *row[len(_OF_KEY) :])
    key.created_by = User.from_db(connection.alias, _OF_OWNER, owner)
    return key


def _first_row(statement: str, values: Sequence[str | datetime]) -> tuple[Any, ...] | None:
    """Return what the statement finds; once more where the connection was lost while unused.

    That is found out by using it: to ask before every request whether it is alive costs as much as
    the answer.
    """
    connection.health_check_done = True  # type: ignore[attr-defined]  # unknown to the stubs
    try:
        return _asked(statement, values)
    except (OperationalError, InterfaceError):
        if connection.in_atomic_block:
            raise
        connection.close()
        return _asked(statement, values)


def _asked(statement: str, values: Sequence[str | datetime]) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row


def note_use(key: ApiKey, *, now: datetime) -> None:
    """Note that the key was used: once a minute, as each request would else cost a write.

    Where that can't be written (the database's disk is full, or it is a standby) the request goes
    on all the same: looking at a campaign must not depend on it.
    """
    long_ago = now - _USE_NOTED_EVERY
    if key.last_used_at is not None and key.last_used_at > long_ago:
        return
    unnoted = ApiKey.objects.filter(Q(last_used_at=None) | Q(last_used_at__lte=long_ago), pk=key.pk)
    try:
        with transaction.atomic():
            unnoted.update(last_used_at=now)
    except DatabaseError as error:
        logger.warning("The use of the key %s could not be noted: %s", key.prefix, error)


def _issue(
    *,
    name: str,
    scopes: list[str] | list[Scope],
    created_by: User,
    expires_at: datetime | None,
    replaces: ApiKey | None = None,
) -> tuple[ApiKey, str]:
    text, prefix, hashed_key = _GENERATOR.generate()
    key = ApiKey(
        name=name,
        prefix=prefix,
        hashed_key=hashed_key,
        scopes=[str(scope) for scope in scopes],
        created_by=created_by,
        expires_at=expires_at,
        replaces=replaces,
    )
    with transaction.atomic():  # with its entry in the audit trail
        key.save(force_insert=True)
    key.refresh_from_db()
    return key, text


def _locked(key_id: int) -> ApiKey:
    try:
        return ApiKey.objects.select_for_update().get(pk=key_id)
    except ApiKey.DoesNotExist:
        message = f"There is no API key {key_id}."
        raise ApiKey.DoesNotExist(message) from None
