"""Versions of what can be changed over HTTP: `ETag`, `If-None-Match`, `If-Match`.

A tag has two parts, `"<version>.<content>"`. The version covers what a person can change, the
content all of the representation: counters of a campaign move while it is sent, which makes
another content (a reader is given it) but no other version (a writer is not in anybody's way).
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar, Final

from django.db import transaction
from django.http import Http404
from rest_framework.exceptions import APIException
from rest_framework.generics import GenericAPIView
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

_TAGGED: Final = frozenset({"create", "retrieve", "update", "partial_update"})
"""The actions that answer with the whole representation."""


class PreconditionFailed(APIException):
    """Somebody else has changed it since it was read."""

    status_code = 412
    default_code = "precondition_failed"
    default_detail = (
        "It was changed since the version that If-Match names. Read it again, then change it."
    )


class Versioned(GenericAPIView[Any]):
    """A view whose representations carry an `ETag`."""

    version_fields: ClassVar[Collection[str]]
    """The fields of the representation that a person can change."""

    def representation(self, row: Any) -> Mapping[str, Any]:
        """Return the row as it is read by itself."""
        return dict(self.get_serializer(row).data)

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        """Tag what is answered; answer 304 to a reader that has it already."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        data = getattr(answer, "data", None)
        action = getattr(self, "action", None)
        if action not in _TAGGED or answer.status_code >= 300 or not isinstance(data, Mapping):
            return answer
        tag = f'"{self._version(data)}.{_digest(data)}"'
        if action == "retrieve" and _names(request.headers.get("If-None-Match", ""), tag):
            answer.status_code, answer.data = 304, None
        answer["ETag"] = tag
        return answer

    def refuse_if_changed(self, request: Request, key: str) -> None:
        """Lock the row for this transaction and compare its version with `If-Match`.

        Raises:
            PreconditionFailed: it is another by now.
            Http404: there is no such row.
        """
        model = self.get_queryset().model
        row = model.objects.select_for_update().filter(pk=key).first()
        if row is None:
            raise Http404(f"There is no {model._meta.verbose_name} {key}.")
        wanted = _tags(request.headers["If-Match"])
        current = self._version(self.representation(row))
        if "*" not in wanted and current not in {_version_in(tag) for tag in wanted}:
            raise PreconditionFailed

    def _version(self, data: Mapping[str, Any]) -> str:
        return _digest({name: data[name] for name in sorted(self.version_fields)})


def if_match(handler: Callable[..., Response]) -> Callable[..., Response]:
    """Make the change only if `If-Match`, where it is given, names the version that stands.

    Row lock, comparison and change are one transaction: of two writers who read the same version
    one changes it, and the other gets 412.
    """

    @functools.wraps(handler)
    def guarded(view: Versioned, request: Request, pk: str, **kwargs: Any) -> Response:
        if "If-Match" not in request.headers:
            return handler(view, request, pk=pk, **kwargs)
        with transaction.atomic():
            view.refuse_if_changed(request, pk)
            return handler(view, request, pk=pk, **kwargs)

    guarded.asks_for_version = True  # type: ignore[attr-defined]  # read by the schema
    return guarded


def _digest(data: Mapping[str, Any]) -> str:
    return hashlib.blake2b(JSONRenderer().render(data), digest_size=12).hexdigest()


def _tags(header: str) -> Sequence[str]:
    """Return the entity tags; ours have no comma inside, so that others need not be understood."""
    return [one.strip() for one in header.split(",")]


def _version_in(tag: str) -> str:
    # A weak one (`W/"…"`) never equals: what is to be changed is compared strongly.
    return tag.partition(".")[0].removeprefix('"') if tag.startswith('"') else ""


def _names(header: str, tag: str) -> bool:
    wanted = {one.removeprefix("W/") for one in _tags(header)}
    return bool(wanted & {tag, "*"})
