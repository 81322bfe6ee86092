"""The API of segments and lists: each action is one call into the domain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from django.http import FileResponse, Http404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from devices.api.bodies import takes_nothing
from devices.api.pagination import NewestFirst
from devices.api.queries import HeardQuery, Parameters, parameters_of
from devices.api.serializers import DeviceSerializer
from devices.api.uploads import rejects_of, upload_refusals, uploaded
from devices.api.versions import Versioned, if_match
from devices.audience import Audience
from devices.segments import estimates, lists, memberships, services
from devices.segments.api.parsers import CsvIdsParser, NdjsonIdsParser, TextIdsParser
from devices.segments.api.serializers import (
    SHOWN_MEMBERSHIPS,
    NewListSerializer,
    NewSegmentSerializer,
    ReachSerializer,
    RulesSerializer,
    SegmentChangesSerializer,
    SegmentSerializer,
    UserListSerializer,
)
from devices.segments.errors import NameTaken, RulesRefused, SegmentError
from devices.segments.models import Segment, UserList

Result = TypeVar("Result")


class Conflict(APIException):
    """What was asked cannot be done as things stand."""

    status_code = 409
    default_code = "conflict"


class SegmentViewSet(
    HeardQuery,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    Versioned,
    viewsets.GenericViewSet[Segment],
):
    """Segments: devices chosen by rules."""

    required_scopes: ClassVar[dict[str, str]] = {
        "list": "devices:read",
        "retrieve": "devices:read",
        "create": "devices:write",
        "partial_update": "devices:write",
        "destroy": "devices:write",
        "refresh": "devices:write",
        "estimate": "devices:read",
        "estimate_saved": "devices:read",
        "sample": "devices:read",
        "sample_saved": "devices:read",
    }
    throttle_costs: ClassVar[dict[str, int]] = {"estimate": 20, "estimate_saved": 20}
    parameters: ClassVar[dict[str, Parameters]] = {"list": parameters_of(NewestFirst)}
    version_fields = SegmentSerializer.VERSION_FIELDS
    queryset = Segment.objects.prefetch_related(SHOWN_MEMBERSHIPS).order_by("-pk")
    serializer_class = SegmentSerializer
    pagination_class = NewestFirst
    filter_backends = []
    lookup_value_regex = r"\d{1,18}"

    @extend_schema(request=NewSegmentSerializer, responses={201: SegmentSerializer})
    def create(self, request: Request) -> Response:
        """Save a segment; a static one is evaluated in the background."""
        wanted = NewSegmentSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        segment = checked(
            lambda: services.create_segment(
                user=request.user, now=timezone.now(), **wanted.validated_data
            )
        )
        return Response(self.get_serializer(segment).data, status=201)

    @extend_schema(request=SegmentChangesSerializer, responses=SegmentSerializer)
    @if_match
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change name, description or rules; what was launched keeps its audience."""
        wanted = SegmentChangesSerializer(data=request.data, partial=True)
        wanted.is_valid(raise_exception=True)
        segment = checked(
            lambda: services.change_segment(
                segment_id=int(pk), now=timezone.now(), **wanted.validated_data
            )
        )
        return Response(self.get_serializer(segment).data)

    @extend_schema(responses={204: None})
    @if_match
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a segment; 409 while an unfinished campaign needs it."""
        checked(lambda: services.delete_segment(segment_id=int(pk)))
        return Response(status=204)

    @extend_schema(request=None, responses={202: SegmentSerializer})
    @action(detail=True, methods=["post"])
    @takes_nothing
    def refresh(self, request: Request, pk: str) -> Response:
        """Have a static segment evaluated again; campaigns get who was in it until that is done."""
        checked(lambda: memberships.request_membership(segment_id=int(pk), now=timezone.now()))
        return Response(self.get_serializer(self.get_object()).data, status=202)

    @extend_schema(request=RulesSerializer, responses=ReachSerializer)
    @action(detail=False, methods=["post"])
    def estimate(self, request: Request) -> Response:
        """Say how many devices rules choose, by platform; nothing is saved."""
        return Response(ReachSerializer(estimates.estimate(_chosen(request))).data)

    @extend_schema(responses=ReachSerializer)
    @action(detail=True, methods=["get"], url_path="estimate")
    def estimate_saved(self, request: Request, pk: str) -> Response:
        """Say how many devices are in the segment, by platform."""
        segment = self.get_object()
        reach = checked(lambda: services.estimate_segment(segment, now=timezone.now()))
        return Response(ReachSerializer(reach).data)

    @extend_schema(request=RulesSerializer, responses=DeviceSerializer(many=True))
    @action(detail=False, methods=["post"], pagination_class=None)
    def sample(self, request: Request) -> Response:
        """Return up to 20 devices that rules choose; nothing is saved."""
        return Response(DeviceSerializer(estimates.sample(_chosen(request)), many=True).data)

    @extend_schema(responses=DeviceSerializer(many=True))
    @action(detail=True, methods=["get"], url_path="sample", pagination_class=None)
    def sample_saved(self, request: Request, pk: str) -> Response:
        """Return up to 20 devices of the segment."""
        segment = self.get_object()
        found = checked(lambda: services.sample_segment(segment, now=timezone.now()))
        return Response(DeviceSerializer(found, many=True).data)


class UserListViewSet(
    HeardQuery,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet[UserList],
):
    """Lists of user ids, read in the background."""

    required_scopes: ClassVar[dict[str, str]] = {
        "list": "devices:read",
        "retrieve": "devices:read",
        "create": "devices:write",
        "destroy": "devices:write",
        "rejects": "devices:read",
    }
    throttle_costs: ClassVar[dict[str, int]] = {"create": 100}
    parameters: ClassVar[dict[str, Parameters]] = {
        "list": parameters_of(NewestFirst),
        "create": parameters_of(NewListSerializer),
    }
    queryset = UserList.objects.order_by("-pk")
    serializer_class = UserListSerializer
    parser_classes = [TextIdsParser, CsvIdsParser, NdjsonIdsParser]
    pagination_class = NewestFirst
    filter_backends = []
    lookup_value_regex = r"\d{1,18}"

    @extend_schema(
        parameters=[
            OpenApiParameter("name", required=True, description="What the list is called."),
            OpenApiParameter("description"),
        ],
        request={
            "text/plain": OpenApiTypes.BINARY,
            "text/csv": OpenApiTypes.BINARY,
            "application/x-ndjson": OpenApiTypes.BINARY,
        },
        responses={202: UserListSerializer},
    )
    def create(self, request: Request) -> Response:
        """Take a file of user ids, as the request's body; a worker reads it."""
        wanted = NewListSerializer(data=request.query_params)
        wanted.is_valid(raise_exception=True)
        with upload_refusals():
            record = checked(
                lambda: lists.take_list(
                    **uploaded(request),
                    user_id=request.user.pk,
                    now=timezone.now(),
                    **wanted.validated_data,
                )
            )
        return Response(self.get_serializer(record).data, status=202)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a list; 409 while a segment or an unfinished campaign needs it."""
        checked(lambda: lists.delete_list(list_id=int(pk)))
        return Response(status=204)

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"])
    def rejects(self, request: Request, pk: str) -> FileResponse:
        """Return the rejected lines: line, reason and the line itself, as CSV."""
        record = self.get_object()
        return rejects_of(record, name=f"list-{record.pk}-rejects.csv")


def _chosen(request: Request) -> Audience:
    wanted = RulesSerializer(data=request.data)
    wanted.is_valid(raise_exception=True)
    rules = wanted.validated_data["rules"]
    return checked(lambda: services.chosen_by(rules, now=timezone.now()))


def checked(call: Callable[[], Result]) -> Result:
    """Make the call; turn what the domain refuses into the API's answers."""
    try:
        return call()
    except (Segment.DoesNotExist, UserList.DoesNotExist) as missing:
        raise Http404(str(missing)) from None
    except RulesRefused as refusal:
        places: dict[str, Any] = {}
        for place, reason in refusal.problems:
            places.setdefault(place, []).append(reason)
        raise ValidationError(places) from refusal
    except NameTaken as refusal:
        raise ValidationError({"name": [str(refusal)]}) from refusal
    except SegmentError as refusal:
        raise Conflict(str(refusal)) from refusal
