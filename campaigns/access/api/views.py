"""API keys over HTTP: each action is one call into the domain."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar, TypeVar, cast

from django.contrib.auth.models import User
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.access import keys
from campaigns.access.api.serializers import (
    ApiKeySerializer,
    KeyRequestSerializer,
    NewKeySerializer,
    RotationSerializer,
)
from campaigns.access.models import ApiKey
from devices.api.bodies import takes_nothing
from devices.api.pagination import NewestFirst
from devices.api.queries import HeardQuery, Parameters, parameters_of

Result = TypeVar("Result")


class KeyConflict(APIException):
    """The key's state does not allow it."""

    status_code = 409
    default_code = "key_conflict"


class ApiKeyViewSet(
    HeardQuery,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet[ApiKey],
):
    """API keys of programs: issue, look at, rotate, revoke."""

    required_scopes: ClassVar[dict[str, str]] = {
        "list": "admin",
        "retrieve": "admin",
        "create": "admin",
        "rotate": "admin",
        "revoke": "admin",
    }
    parameters: ClassVar[dict[str, Parameters]] = {"list": parameters_of(NewestFirst)}
    queryset = ApiKey.objects.order_by("-pk")
    serializer_class = ApiKeySerializer
    pagination_class = NewestFirst
    filter_backends = []
    lookup_value_regex = r"\d{1,18}"

    @extend_schema(request=KeyRequestSerializer, responses={201: NewKeySerializer})
    def create(self, request: Request) -> Response:
        """Issue a key in the caller's name; its text is in this answer and nowhere else."""
        wanted = KeyRequestSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        owner = cast("User", request.user)
        return _issued(
            lambda: keys.create_key(owner=owner, now=timezone.now(), **wanted.validated_data)
        )

    @extend_schema(request=RotationSerializer, responses={201: NewKeySerializer})
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, pk: str) -> Response:
        """Issue a key that may do the same; the old one works for the overlap, then no more."""
        wanted = RotationSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        overlap = timedelta(seconds=wanted.validated_data["overlap_s"])
        return _issued(lambda: keys.rotate_key(key_id=int(pk), now=timezone.now(), overlap=overlap))

    @extend_schema(request=None, responses=ApiKeySerializer)
    @action(detail=True, methods=["post"])
    @takes_nothing
    def revoke(self, request: Request, pk: str) -> Response:
        """Have the key open nothing from now on, for good."""
        key = _checked(lambda: keys.revoke_key(key_id=int(pk), now=timezone.now()))
        return Response(self.get_serializer(key).data)


def _issued(issue: Callable[[], tuple[ApiKey, str]]) -> Response:
    key, text = _checked(issue)
    shown = {"key": text, **ApiKeySerializer(key).data}
    answer = Response(shown, status=201)
    answer["Cache-Control"] = "no-store"
    return answer


def _checked(call: Callable[[], Result]) -> Result:
    """Make the call; turn what the domain refuses into the API's answers."""
    try:
        return call()
    except ApiKey.DoesNotExist as missing:
        raise Http404(str(missing)) from missing
    except keys.ExpiresInPast as refusal:
        raise ValidationError({"expires_at": [str(refusal)]}) from refusal
    except keys.KeyRefused as refusal:
        raise KeyConflict(str(refusal)) from refusal
