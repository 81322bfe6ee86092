"""`Idempotency-Key` on the actions of a view."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any, Final

from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404
from django.utils import timezone
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.access.models import ApiKey
from campaigns.errors import CampaignError
from campaigns.idempotency import keys
from campaigns.idempotency.keys import Answer

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"

Handler = Callable[..., Any]


class Reused(APIException):
    """Another request was made under the key."""

    status_code = 422
    default_code = "idempotency_key_reused"


class InFlight(APIException):
    """The first request under the key has not been answered."""

    status_code = 409
    default_code = "idempotency_key_in_flight"


def idempotent(*, claims_first: bool = False) -> Callable[[Handler], Handler]:
    """Have an action done once under one `Idempotency-Key`; without the header, every time.

    `claims_first` is for actions whose effect no transaction can take back.
    """
    answer_once = (
        functools.partial(keys.answer_after_claim, refusals=_REFUSALS)
        if claims_first
        else keys.answer_once
    )

    def decorate(handler: Handler) -> Handler:
        @functools.wraps(handler)
        def once(view: Any, request: Request, *args: Any, **kwargs: Any) -> Any:
            if HEADER not in request.headers:
                return handler(view, request, *args, **kwargs)

            def work() -> Answer:
                return _kept_from(handler(view, request, *args, **kwargs))

            try:
                return _as_response(answer_once(_asked(request), now=timezone.now(), work=work))
            except keys.KeyRefused as refusal:
                raise _for_http(refusal) from refusal

        once.takes_idempotency_key = True  # type: ignore[attr-defined]  # read by the schema
        return once

    return decorate


_REFUSALS: Final = (APIException, Http404, ObjectDoesNotExist, CampaignError)
"""What an action raises that has done nothing."""


def _asked(request: Request) -> keys.Request:
    return keys.Request(
        caller=_caller(request),
        key=request.headers[HEADER],
        method=str(request.method),
        path=request.get_full_path(),
        body=request.data,
    )


def _caller(request: Request) -> str:
    if isinstance(request.auth, ApiKey):
        return f"key {request.auth.pk}"
    return f"user {request.user.pk}"


def _kept_from(response: Response) -> Answer:
    body = JSONRenderer().render(response.data).decode()
    return Answer(response.status_code, body, dict(response.items()))


def _as_response(answer: Answer) -> Response:
    headers = dict(answer.headers)
    if answer.is_replayed:
        headers[REPLAYED] = "true"
    return Response(json.loads(answer.body), status=answer.status_code, headers=headers)


def _for_http(refusal: keys.KeyRefused) -> APIException:
    if isinstance(refusal, keys.KeyMalformed):
        return ValidationError({HEADER: [str(refusal)]})
    if isinstance(refusal, keys.KeyReused):
        return Reused(str(refusal))
    return InFlight(str(refusal))
