"""Who got what, over HTTP: by pages, and as a file."""

from __future__ import annotations

from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from campaigns.deliveries import START, Place, Wanted, all_deliveries, deliveries_after
from campaigns.export import FileFormat, written
from campaigns.models import PushCampaign, PushLog
from devices.api.bodies import OneOf

PAGE_SIZE = 100
MAX_PAGE_SIZE = 1_000


class WantedSerializer(serializers.Serializer[Any]):
    """Which deliveries."""

    status = serializers.MultipleChoiceField(
        choices=PushLog.Status.choices,
        required=False,
        help_text="May be given several times.",
        error_messages={"invalid_choice": f"Must be one of {', '.join(PushLog.Status.values)}."},
    )
    device = serializers.IntegerField(
        min_value=1, max_value=2**63 - 1, required=False, help_text="The device's id here."
    )
    user_id = serializers.CharField(
        max_length=255, required=False, help_text="The application's own id of its user."
    )

    def wanted(self, campaign_id: int) -> Wanted:
        """Return the choice."""
        given = self.validated_data
        return Wanted(
            campaign_id=campaign_id,
            statuses=sorted(given.get("status", ())),
            device_id=given.get("device"),
            user_id=given.get("user_id"),
        )


class PageSerializer(WantedSerializer):
    """Which deliveries, and where to read on."""

    cursor = serializers.RegexField(
        r"^\d{1,18}\.\d{1,9}\.\d{1,4}$", required=False, help_text="As `next` has it."
    )
    page_size = serializers.IntegerField(min_value=1, max_value=MAX_PAGE_SIZE, default=PAGE_SIZE)

    def place(self) -> Place:
        """Return where the page begins."""
        cursor = self.validated_data.get("cursor")
        return Place(*map(int, cursor.split("."))) if cursor else START

    def size(self) -> int:
        """Return how many deliveries the page holds at most."""
        return int(self.validated_data["page_size"])


class FileSerializer(WantedSerializer):
    """Which deliveries, and written how."""

    file_format = OneOf(
        choices=[(one.value, one.value) for one in FileFormat], default=FileFormat.CSV.value
    )


class DeliverySerializer(serializers.Serializer[Any]):
    """What became of one device."""

    device_id = serializers.IntegerField()
    user_id = serializers.CharField(allow_null=True, help_text="null: deleted since.")
    platform = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(choices=PushLog.Status.choices)
    error = serializers.CharField(help_text="Stable and short; empty where it was accepted.")
    detail = serializers.CharField(help_text="The provider's words, where there is more to say.")
    message_id = serializers.CharField(help_text="The provider's id of an accepted message.")
    sent_at = serializers.DateTimeField(allow_null=True)


class DeliveryPageSerializer(serializers.Serializer[Any]):
    """A page of deliveries, in the order in which the campaign sends."""

    next = serializers.URLField(allow_null=True)
    results = DeliverySerializer(many=True)


class DeliveryActions(viewsets.GenericViewSet[PushCampaign]):
    """The part of the campaign API that reads the ledger device by device."""

    def perform_content_negotiation(
        self, request: Request, force: bool = False
    ) -> tuple[BaseRenderer, str]:
        """Take any Accept header for a file: it is `file_format` that says how it is written."""
        is_file = self.action == "export_deliveries"
        return super().perform_content_negotiation(request, force=force or is_file)

    @extend_schema(parameters=[PageSerializer], responses=DeliveryPageSerializer)
    @action(detail=True, methods=["get"], filter_backends=[], pagination_class=None)
    def deliveries(self, request: Request, pk: str) -> Response:
        """Read what became of each device; `next` leads on, and each page costs the same."""
        asked = PageSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        size = asked.size()
        wanted = asked.wanted(self.get_object().pk)
        found = deliveries_after(asked.place(), wanted=wanted, limit=size + 1)
        page, is_last = found[:size], len(found) <= size
        following = None if is_last else _address_of(request, page[-1].place)
        return Response(DeliveryPageSerializer({"next": following, "results": page}).data)

    @extend_schema(
        parameters=[FileSerializer],
        responses={
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/x-ndjson"): OpenApiTypes.STR,
        },
    )
    @action(
        detail=True,
        methods=["get"],
        url_path="deliveries/export",
        filter_backends=[],
        pagination_class=None,
    )
    def export_deliveries(self, request: Request, pk: str) -> StreamingHttpResponse:
        """Write what became of each device into a file, streamed while it is read."""
        asked = FileSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        file_format = FileFormat(asked.validated_data["file_format"])
        campaign_id = self.get_object().pk
        pages = all_deliveries(asked.wanted(campaign_id))
        name = f"campaign-{campaign_id}-deliveries.{file_format}"
        return StreamingHttpResponse(
            written(pages, file_format=file_format),
            content_type=file_format.media_type,
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


def _address_of(request: Request, place: Place) -> str:
    cursor = ".".join(map(str, place))
    return replace_query_param(request.build_absolute_uri(), "cursor", cursor)
