"""The campaign API: each action is one call into the domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, ClassVar
from uuid import uuid4

from django.db.models import F, QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import drafts, services
from campaigns.api.deliveries import DeliveryActions, FileSerializer, PageSerializer
from campaigns.api.filters import CampaignFilter
from campaigns.api.pagination import CampaignPages
from campaigns.api.rehearsal import RehearsalActions
from campaigns.api.serializers import (
    CampaignSerializer,
    CampaignSummarySerializer,
    RateSerializer,
    ScheduleSerializer,
    SentSerializer,
    StatsQuerySerializer,
    StatsSerializer,
)
from campaigns.breakdown import ErrorCount, PlatformCounts, count_by_error, count_by_platform
from campaigns.idempotency.http import idempotent
from campaigns.models import PushCampaign
from campaigns.queries import Stats, active_campaigns, find_stats, stats_of_each
from devices.api.bodies import takes_nothing
from devices.api.queries import HeardQuery, Parameters, parameters_of
from devices.api.versions import Versioned, if_match


class CampaignViewSet(
    HeardQuery,
    RehearsalActions,
    DeliveryActions,
    mixins.ListModelMixin,
    Versioned,
    viewsets.GenericViewSet[PushCampaign],
):
    """Campaigns: create, launch, steer, and watch."""

    required_scopes: ClassVar[dict[str, str]] = {
        "list": "campaigns:read",
        "retrieve": "campaigns:read",
        "active": "campaigns:read",
        "stats": "campaigns:read",
        "preview": "campaigns:read",
        "estimate": "campaigns:read",
        "deliveries": "campaigns:read",
        "export_deliveries": "campaigns:read",
        "create": "campaigns:write",
        "update": "campaigns:write",
        "partial_update": "campaigns:write",
        "destroy": "campaigns:write",
        "duplicate": "campaigns:write",
        "test": "campaigns:send",
        "send": "campaigns:send",
        "schedule": "campaigns:send",
        "unschedule": "campaigns:send",
        "pause": "campaigns:send",
        "resume": "campaigns:send",
        "cancel": "campaigns:send",
        "set_rate": "campaigns:send",
        "retry_failed": "campaigns:send",
    }
    throttle_costs: ClassVar[dict[str, int]] = {
        "export_deliveries": 100,
        "estimate": 20,
        "test": 20,
    }
    parameters: ClassVar[dict[str, Parameters]] = {
        "list": parameters_of(CampaignFilter, CampaignPages),
        "stats": parameters_of(StatsQuerySerializer),
        "deliveries": parameters_of(PageSerializer),
        "export_deliveries": parameters_of(FileSerializer),
    }
    version_fields = CampaignSerializer.VERSION_FIELDS
    queryset = PushCampaign.objects.order_by("-pk")
    serializer_class = CampaignSummarySerializer
    pagination_class = CampaignPages
    filterset_class = CampaignFilter
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> QuerySet[PushCampaign]:
        """Leave the named user ids where they are, unless one campaign is read for itself."""
        campaigns = super().get_queryset()
        if self.action == "retrieve":
            return campaigns
        return campaigns.defer("target_user_ids").annotate(
            target_user_count=F("target_user_ids__len")
        )

    def representation(self, row: PushCampaign) -> dict[str, Any]:
        """Return the campaign as it is read by itself, with all user ids that it names."""
        return dict(CampaignSerializer(row).data)

    @extend_schema(responses=CampaignSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Read one campaign, with all user ids that it names."""
        return Response(CampaignSerializer(self.get_object()).data)

    @extend_schema(request=CampaignSerializer, responses={201: CampaignSerializer})
    @idempotent()
    def create(self, request: Request) -> Response:
        """Create a draft."""
        wanted = CampaignSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        campaign = drafts.create_campaign(
            user=request.user, now=timezone.now(), **wanted.validated_data
        )
        return Response(CampaignSerializer(campaign).data, status=201)

    @extend_schema(request=CampaignSerializer, responses=CampaignSerializer)
    @if_match
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some fields of a campaign of which nothing was sent yet."""
        wanted = CampaignSerializer(data=request.data, partial=True)
        wanted.is_valid(raise_exception=True)
        campaign = drafts.change_campaign(
            campaign_id=int(pk), now=timezone.now(), **wanted.validated_data
        )
        return Response(CampaignSerializer(campaign).data)

    @extend_schema(request=CampaignSerializer, responses=CampaignSerializer)
    @if_match
    def update(self, request: Request, pk: str) -> Response:
        """Write a campaign of which nothing was sent yet anew; what is left out is reset."""
        wanted = CampaignSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        campaign = drafts.replace_campaign(
            campaign_id=int(pk), now=timezone.now(), **wanted.validated_data
        )
        return Response(CampaignSerializer(campaign).data)

    @extend_schema(responses={204: None})
    @if_match
    def destroy(self, request: Request, pk: str) -> Response:
        """Throw a draft away."""
        drafts.delete_draft(campaign_id=int(pk))
        return Response(status=204)

    @extend_schema(request=None, responses={201: CampaignSerializer})
    @action(detail=True, methods=["post"])
    @idempotent()
    @takes_nothing
    def duplicate(self, request: Request, pk: str) -> Response:
        """Create a draft that says the same to the same audience."""
        campaign = drafts.duplicate_campaign(
            campaign_id=int(pk), user=request.user, now=timezone.now()
        )
        return Response(CampaignSerializer(campaign).data, status=201)

    @extend_schema(request=None, responses={202: SentSerializer})
    @action(detail=True, methods=["post"])
    @idempotent()
    @takes_nothing
    def send(self, request: Request, pk: str) -> Response:
        """Launch the campaign; answers at once, the sending goes on in the background."""
        campaign = services.start_campaign(campaign_id=int(pk), task_id=uuid4(), now=timezone.now())
        answer = {
            "campaign_id": campaign.pk,
            "task_id": campaign.task_id,
            "status": campaign.status,
            "priority": campaign.priority,
            "queue": campaign.queue,
        }
        return Response(SentSerializer(answer).data, status=202)

    @extend_schema(request=ScheduleSerializer, responses=CampaignSummarySerializer)
    @action(detail=True, methods=["post"])
    @idempotent()
    def schedule(self, request: Request, pk: str) -> Response:
        """Have the campaign started at a moment to come, or move that moment."""
        wanted = ScheduleSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        services.schedule_campaign(campaign_id=int(pk), now=timezone.now(), **wanted.validated_data)
        return self._answer()

    @extend_schema(request=None, responses=CampaignSummarySerializer)
    @action(detail=True, methods=["post"])
    @takes_nothing
    def unschedule(self, request: Request, pk: str) -> Response:
        """Make a scheduled campaign a draft again."""
        services.unschedule_campaign(campaign_id=int(pk))
        return self._answer()

    @extend_schema(request=None, responses=CampaignSummarySerializer)
    @action(detail=True, methods=["post"])
    @takes_nothing
    def pause(self, request: Request, pk: str) -> Response:
        """Send nothing more for now; what is in flight settles."""
        services.pause_campaign(campaign_id=int(pk))
        return self._answer()

    @extend_schema(request=None, responses=CampaignSummarySerializer)
    @action(detail=True, methods=["post"])
    @idempotent()
    @takes_nothing
    def resume(self, request: Request, pk: str) -> Response:
        """Send on what is not settled yet."""
        services.resume_campaign(campaign_id=int(pk))
        return self._answer()

    @extend_schema(request=None, responses=CampaignSummarySerializer)
    @action(detail=True, methods=["post"])
    @takes_nothing
    def cancel(self, request: Request, pk: str) -> Response:
        """End the campaign; whoever has not been sent to is skipped."""
        services.cancel_campaign(campaign_id=int(pk), now=timezone.now())
        return self._answer()

    @extend_schema(request=None, responses=CampaignSummarySerializer)
    @action(detail=True, methods=["post"], url_path="retry-failed")
    @idempotent()
    @takes_nothing
    def retry_failed(self, request: Request, pk: str) -> Response:
        """Send a completed campaign again to those whom it failed to reach, dead ones excepted."""
        services.retry_failed(campaign_id=int(pk))
        return self._answer()

    @extend_schema(request=RateSerializer, responses=CampaignSummarySerializer)
    @action(detail=True, methods=["post"], url_path="set-rate")
    def set_rate(self, request: Request, pk: str) -> Response:
        """Change the campaign's own pace, also while it is being sent."""
        wanted = RateSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        services.set_rate_limit(campaign_id=int(pk), **wanted.validated_data)
        return self._answer()

    @extend_schema(parameters=[StatsQuerySerializer], responses=StatsSerializer)
    @action(detail=True, methods=["get"], filter_backends=[])
    def stats(self, request: Request, pk: str) -> Response:
        """How far the campaign is; `by` adds the account of each platform, and of each error."""
        asked = StatsQuerySerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        campaign, stats = find_stats(campaign_id=int(pk), now=timezone.now())
        account = _account(campaign, stats)
        for name in asked.validated_data["by"]:
            account[f"by_{name}"] = [one._asdict() for one in _BREAKDOWNS[name](campaign)]
        return Response(account)

    @extend_schema(responses=StatsSerializer(many=True))
    @action(detail=False, methods=["get"], pagination_class=None, filter_backends=[])
    def active(self, request: Request) -> Response:
        """How far each campaign is that is being sent or paused."""
        campaigns = list(active_campaigns())
        stats = stats_of_each(campaigns, now=timezone.now())
        return Response([_account(*one) for one in zip(campaigns, stats, strict=True)])

    def _answer(self) -> Response:
        """Answer a move with how the campaign stands now."""
        return Response(self.get_serializer(self.get_object()).data)


_BREAKDOWNS: dict[str, Callable[[PushCampaign], Sequence[PlatformCounts | ErrorCount]]] = {
    "platform": count_by_platform,
    "error": count_by_error,
}


def _account(campaign: PushCampaign, stats: Stats) -> dict[str, Any]:
    named = {"campaign_id": campaign.pk, "title": campaign.title}
    return dict(StatsSerializer(named | asdict(stats)).data)
