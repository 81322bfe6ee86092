"""The device API: each action is one call into the domain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, ClassVar, Final, TypeVar

from django.http import FileResponse, Http404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail, ParseError, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from devices import imports, services
from devices.api.filters import DeviceFilter
from devices.api.pagination import NewestFirst
from devices.api.parsers import (
    CsvFileParser,
    JsonRowsParser,
    NdjsonFileParser,
    NdjsonRowsParser,
)
from devices.api.queries import HeardQuery, Parameters, parameters_of
from devices.api.serializers import (
    BulkResultSerializer,
    ChangesSerializer,
    DeviceSerializer,
    ImportSerializer,
    RegistrationSerializer,
)
from devices.api.uploads import rejects_of, upload_refusals, uploaded
from devices.api.versions import Versioned, if_match
from devices.models import DeviceImport, DeviceToken
from devices.projects import UnknownProject
from devices.rules import CHANGEABLE, MISSING, NOT_SETTABLE, RowRefused

Result = TypeVar("Result")


class DeviceViewSet(
    HeardQuery,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    Versioned,
    viewsets.GenericViewSet[DeviceToken],
):
    """Devices: register, look up, change, deactivate."""

    required_scopes: ClassVar[dict[str, str]] = {
        "list": "devices:read",
        "retrieve": "devices:read",
        "create": "devices:write",
        "partial_update": "devices:write",
        "destroy": "devices:write",
        "bulk": "devices:write",
    }
    parameters: ClassVar[dict[str, Parameters]] = {
        "list": parameters_of(DeviceFilter, NewestFirst),
    }
    version_fields = CHANGEABLE
    queryset = DeviceToken.objects.select_related("project")
    serializer_class = DeviceSerializer
    pagination_class = NewestFirst
    filterset_class = DeviceFilter
    lookup_value_regex = r"\d{1,18}"

    @extend_schema(
        request=RegistrationSerializer, responses={200: DeviceSerializer, 201: DeviceSerializer}
    )
    def create(self, request: Request) -> Response:
        """Register a device by its address: 201 where it is new, 200 where it was known.

        A known one counts as seen now, becomes this user's, and comes back if it was inactive.
        What is left out stays as it is stored.
        """
        given = _object(request)
        device, is_new = _checked(lambda: services.register_device(given=given, now=timezone.now()))
        return Response(self.get_serializer(device).data, status=201 if is_new else 200)

    @extend_schema(request=ChangesSerializer, responses=DeviceSerializer)
    @if_match
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change what is known of a device; its address and project stay."""
        given = _object(request)
        device = _checked(
            lambda: services.change_device(device_id=int(pk), given=given, now=timezone.now())
        )
        return Response(self.get_serializer(device).data)

    @extend_schema(responses={204: None})
    @if_match
    def destroy(self, request: Request, pk: str) -> Response:
        """Deactivate a device: it is not sent to until the application registers it again."""
        _checked(lambda: services.deactivate_device(device_id=int(pk), now=timezone.now()))
        return Response(status=204)

    @extend_schema(
        request={
            "application/json": RegistrationSerializer(many=True),
            "application/x-ndjson": OpenApiTypes.BINARY,
        },
        responses={200: BulkResultSerializer, 400: BulkResultSerializer},
    )
    @action(
        detail=False,
        methods=["post"],
        parser_classes=[JsonRowsParser, NdjsonRowsParser],
        pagination_class=None,
        filter_backends=[],
    )
    def bulk(self, request: Request) -> Response:
        """Register or update up to 10,000 devices; the good rows are kept, the bad ones listed.

        400 only where not a single row is good.
        """
        body = _object(request)
        if "rows" not in body:
            raise ParseError("The body must be an array of devices, or lines of them.")
        rows = body["rows"]
        done = services.upsert_devices(rows=rows, now=timezone.now())
        answer = {
            **asdict(done.merged),
            "errors": [{"index": index, **one._asdict()} for index, one in done.errors],
            "repeated": [
                {"index": index, "superseded_by": later} for index, later in done.repeated
            ],
        }
        refused = {index for index, _ in done.errors}
        status = 400 if rows and len(refused) == len(rows) else 200
        return Response(BulkResultSerializer(answer).data, status=status)


class ImportViewSet(
    HeardQuery,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet[DeviceImport],
):
    """Files of devices, imported in the background."""

    required_scopes: ClassVar[dict[str, str]] = {
        "list": "devices:read",
        "retrieve": "devices:read",
        "create": "devices:write",
        "rejects": "devices:read",
    }
    throttle_costs: ClassVar[dict[str, int]] = {"create": 100}
    parameters: ClassVar[dict[str, Parameters]] = {
        "list": parameters_of(NewestFirst),
        "create": {"project": False},
    }
    queryset = DeviceImport.objects.select_related("project").order_by("-pk")
    serializer_class = ImportSerializer
    parser_classes = [CsvFileParser, NdjsonFileParser]
    pagination_class = NewestFirst
    filter_backends = []
    lookup_value_regex = r"\d{1,18}"

    @extend_schema(
        parameters=[OpenApiParameter("project", description="Of rows that name none.")],
        request={"text/csv": OpenApiTypes.BINARY, "application/x-ndjson": OpenApiTypes.BINARY},
        responses={202: ImportSerializer},
    )
    def create(self, request: Request) -> Response:
        """Take a file, as the request's body; a worker imports it."""
        try:
            with upload_refusals():
                record = imports.take_upload(
                    **uploaded(request),
                    project=request.query_params.get("project"),
                    user_id=request.user.pk,
                    now=timezone.now(),
                )
        except UnknownProject as refusal:
            raise ValidationError({"project": [str(refusal)]}) from refusal
        return Response(self.get_serializer(record).data, status=202)

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"])
    def rejects(self, request: Request, pk: str) -> FileResponse:
        """Return the rejected rows: line, field, reason and the row itself, as CSV."""
        record = self.get_object()
        return rejects_of(record, name=f"import-{record.pk}-rejects.csv")


def _object(request: Request) -> dict[str, Any]:
    if not isinstance(request.data, dict):
        raise ParseError("The body must be an object.")
    return request.data


def _checked(call: Callable[[], Result]) -> Result:
    """Make the call; turn what the domain refuses into the API's answers."""
    try:
        return call()
    except DeviceToken.DoesNotExist:
        raise Http404("There is no such device.") from None
    except RowRefused as refusal:
        fields: dict[str, Any] = {}
        for field, reason in refusal.problems:
            detail = ErrorDetail(reason, _CODES.get(reason, "invalid"))
            fields.setdefault(field, []).append(detail)
        raise ValidationError(fields) from refusal


_CODES: Final = {MISSING: "required", NOT_SETTABLE: "unknown"}
"""For programs; whatever else is wrong is `invalid`."""
