"""The schedules' API: each action is one call into `campaigns.schedules.services`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from django_filters import rest_framework as filters
from django_filters.utils import translate_validation
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.pagination import CampaignPages
from campaigns.idempotency.http import idempotent
from campaigns.schedules import services
from campaigns.schedules.api.serializers import (
    ScheduleDetailSerializer,
    SchedulePreviewSerializer,
    ScheduleRunSerializer,
    ScheduleSummarySerializer,
    UpcomingRunSerializer,
)
from campaigns.schedules.models import RunOutcome, Schedule, ScheduleRun
from devices.api.bodies import takes_nothing
from devices.api.filters import WordsFilter
from devices.api.queries import HeardQuery, Parameters, parameters_of
from devices.api.versions import Versioned, if_match


class RunFilter(filters.FilterSet):  # type: ignore[misc]  # ships no types
    """Which runs a list shows."""

    outcome = WordsFilter(choices=RunOutcome.choices)

    class Meta:
        model = ScheduleRun
        fields: list[str] = []


class ScheduleViewSet(
    HeardQuery, mixins.ListModelMixin, Versioned, viewsets.GenericViewSet[Schedule]
):
    """Campaigns that come again."""

    required_scopes: ClassVar[dict[str, str]] = {
        "list": "campaigns:read",
        "retrieve": "campaigns:read",
        "preview": "campaigns:read",
        "upcoming": "campaigns:read",
        "runs": "campaigns:read",
        "create": "campaigns:send",
        "partial_update": "campaigns:send",
        "destroy": "campaigns:send",
        "pause": "campaigns:send",
        "resume": "campaigns:send",
    }
    parameters: ClassVar[dict[str, Parameters]] = {
        "list": parameters_of(CampaignPages),
        "runs": parameters_of(RunFilter, CampaignPages),
    }
    version_fields = ScheduleDetailSerializer.VERSION_FIELDS
    queryset = Schedule.objects.order_by("-pk")
    serializer_class = ScheduleSummarySerializer
    pagination_class = CampaignPages
    filter_backends = []
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> QuerySet[Schedule]:
        """Leave what is sent where it is, unless one schedule is read for itself."""
        schedules = super().get_queryset()
        return schedules.defer("content") if self.action == "list" else schedules

    def representation(self, row: Schedule) -> dict[str, Any]:
        """Return the schedule as it is read by itself."""
        return dict(ScheduleDetailSerializer(row).data)

    def handle_exception(self, exc: Exception) -> Response:
        """Answer 404 where the domain finds no such schedule."""
        if isinstance(exc, Schedule.DoesNotExist):
            exc = Http404("There is no such schedule.")
        return super().handle_exception(exc)

    @extend_schema(responses=ScheduleDetailSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """Read one schedule, with what it sends."""
        return Response(ScheduleDetailSerializer(self.get_object()).data)

    @extend_schema(request=ScheduleSummarySerializer, responses={201: ScheduleDetailSerializer})
    @idempotent()
    def create(self, request: Request) -> Response:
        """Let a campaign come again: what it says and whom it is for is copied now."""
        wanted = ScheduleSummarySerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        schedule = services.create_schedule(
            user=request.user, now=timezone.now(), **for_service(wanted.validated_data)
        )
        return Response(ScheduleDetailSerializer(schedule).data, status=201)

    @extend_schema(request=ScheduleSummarySerializer, responses=ScheduleDetailSerializer)
    @if_match
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some fields; with `campaign` what is sent is copied from there anew."""
        wanted = ScheduleSummarySerializer(data=request.data, partial=True)
        wanted.is_valid(raise_exception=True)
        schedule = services.change_schedule(
            schedule_id=int(pk), now=timezone.now(), **for_service(wanted.validated_data)
        )
        return Response(ScheduleDetailSerializer(schedule).data)

    @extend_schema(responses={204: None})
    @if_match
    def destroy(self, request: Request, pk: str) -> Response:
        """Forget the schedule and what became of its slots; its campaigns stay."""
        services.delete_schedule(schedule_id=int(pk))
        return Response(status=204)

    @extend_schema(request=None, responses=ScheduleDetailSerializer)
    @action(detail=True, methods=["post"])
    @takes_nothing
    def pause(self, request: Request, pk: str) -> Response:
        """Start no more campaigns for now; what has started is sent on."""
        return Response(ScheduleDetailSerializer(services.pause_schedule(schedule_id=int(pk))).data)

    @extend_schema(request=None, responses=ScheduleDetailSerializer)
    @action(detail=True, methods=["post"])
    @idempotent()
    @takes_nothing
    def resume(self, request: Request, pk: str) -> Response:
        """Start campaigns again, from the next slot on."""
        schedule = services.resume_schedule(schedule_id=int(pk), now=timezone.now())
        return Response(ScheduleDetailSerializer(schedule).data)

    @extend_schema(request=SchedulePreviewSerializer, responses=UpcomingRunSerializer(many=True))
    @action(detail=False, methods=["post"], pagination_class=None)
    def preview(self, request: Request) -> Response:
        """Return the next ten runs of a schedule, with nothing saved."""
        wanted = SchedulePreviewSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        runs = services.preview(now=timezone.now(), **for_service(wanted.validated_data))
        return Response(UpcomingRunSerializer(runs, many=True).data)

    @extend_schema(responses=UpcomingRunSerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=None)
    def upcoming(self, request: Request, pk: str) -> Response:
        """Return the schedule's next ten runs; none where it has ended."""
        runs = services.upcoming(self.get_object(), now=timezone.now())
        return Response(UpcomingRunSerializer(runs, many=True).data)

    @extend_schema(
        parameters=[OpenApiParameter("outcome", enum=RunOutcome.values, many=True)],
        responses=ScheduleRunSerializer(many=True),
    )
    @action(detail=True, methods=["get"])
    def runs(self, request: Request, pk: str) -> Response:
        """List what became of each slot, the latest first."""
        if not Schedule.objects.filter(pk=int(pk)).exists():
            raise Schedule.DoesNotExist
        runs = ScheduleRun.objects.filter(schedule=int(pk)).order_by("-slot")
        chosen = RunFilter(request.query_params, queryset=runs)
        if not chosen.is_valid():
            raise translate_validation(chosen.errors)
        page = self.paginate_queryset(chosen.qs)
        return self.get_paginated_response(ScheduleRunSerializer(page, many=True).data)


def for_service(given: Mapping[str, Any]) -> dict[str, Any]:
    """Name the campaign as the services do."""
    fields = dict(given)
    if (campaign := fields.pop("copied_from", None)) is not None:
        fields["campaign_id"] = campaign.pk
    return fields
