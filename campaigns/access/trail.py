"""The audit trail: who did what to what, when, and how it was before and after.

`auditlog` writes an entry for what is saved or deleted; `record_update` for what is moved by a
guarded UPDATE, which sends no signals. Each entry is signed here with who it was: the person or the
API key of the request, or else the command or the task that was at work.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import sys
from collections.abc import Callable, Collection, Mapping
from contextvars import ContextVar
from typing import Any, Final

from auditlog.models import LogEntry
from auditlog.registry import auditlog
from celery import current_task
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.http import HttpRequest, HttpResponse
from rest_framework.throttling import BaseThrottle

from campaigns.access.models import ApiKey

MAX_VALUE_LENGTH: Final = 8_000
"""What is longer (a hundred thousand user ids) is kept as its beginning, length and digest."""
_KEPT_OF_LONG: Final = 200

_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)


class TrailMiddleware:
    """Remembers the request that is being answered, so that entries can be signed.

    Who makes it is looked up only when there is an entry: a key is recognised later than here.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request."""
        before = _request.set(request)
        try:
            return self._get_response(request)
        finally:
            _request.reset(before)


def track(
    model: type[models.Model],
    *,
    leaving_out: Collection[str] = (),
    hiding: Collection[str] = (),
    relations: Collection[str] = (),
) -> None:
    """Have every save and deletion of a row noted.

    Args:
        model: whose rows.
        leaving_out: fields that the engine keeps, or that say what the entry says.
        hiding: fields that hold secrets: it is noted that they changed, not what they are.
        relations: many-to-many fields that are noted too.
    """
    known = [field.name for field in model._meta.concrete_fields if not field.primary_key]
    auditlog.register(
        model,
        include_fields=[name for name in known if name not in leaving_out],
        mask_fields=list(hiding),
        mask_callable=f"{__name__}.hide",
        m2m_fields=set(relations),
    )


def hide(_: str) -> str:
    """Return what stands for a secret."""
    return "(hidden)"


def record_update(
    row: models.Model, *, before: Mapping[str, object], after: Mapping[str, object]
) -> None:
    """Note what an UPDATE changed of a row, in the transaction that it was made in.

    Args:
        row: an instance with as much as its text needs.
        before: the fields' values before.
        after: those after; what is the same is left out, and so is an entry without any.
    """
    changes = {
        name: [_as_json(before[name]), _as_json(value)]
        for name, value in after.items()
        if before[name] != value
    }
    if changes:
        LogEntry.objects.log_create(row, action=LogEntry.Action.UPDATE, changes=changes)


def sign_entry(*, instance: LogEntry, **_: Any) -> None:
    """Fill in who it was, and cut what is too long to be kept; runs before an entry is saved."""
    if not instance._state.adding:
        return
    request = _request.get()
    if request is None:
        instance.additional_data = _worker()
    else:
        _sign_for_request(instance, request)
    if instance.changes:
        instance.changes = {name: _cut(change) for name, change in instance.changes.items()}


def _sign_for_request(entry: LogEntry, request: HttpRequest) -> None:
    user, key = getattr(request, "user", None), getattr(request, "auth", None)
    if user is not None and user.is_authenticated:
        entry.actor = user
    entry.additional_data = {"via": "request"}
    if isinstance(key, ApiKey):
        entry.additional_data = {"via": "api key", "api_key": key.prefix}
    # The same notion of an address as the throttles have: proxies are believed as set.
    entry.remote_addr = BaseThrottle().get_ident(request)  # type: ignore[arg-type]


def _worker() -> dict[str, str]:
    """Return what is at work where nobody makes a request."""
    if current_task:
        return {"via": "task", "task": current_task.name}
    command = next(iter(sys.argv[1:]), "")
    return {"via": "command", "command": command, "os_user": getpass.getuser()}


def _cut(change: Any) -> Any:
    if not isinstance(change, list | tuple):  # of a many-to-many relation
        return change
    return [_short(value) for value in change]


def _short(value: Any) -> Any:
    text = value if isinstance(value, str) else json.dumps(value, cls=DjangoJSONEncoder)
    if len(text) <= MAX_VALUE_LENGTH:
        return value
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{text[:_KEPT_OF_LONG]}… ({len(text)} characters, SHA-256 {digest})"


def _as_json(value: object) -> object:
    return json.loads(json.dumps(value, cls=DjangoJSONEncoder))
