"""What can be known of a campaign before its launch, over HTTP."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.estimate import STALE_AFTER, estimate_of
from campaigns.idempotency.http import idempotent
from campaigns.models import PushCampaign, PushLog
from campaigns.preview import preview_of
from campaigns.trial import MAX_DEVICES, send_trial
from devices.api.bodies import Strict


class TrialSerializer(Strict):
    """Who gets a test message."""

    device_ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1),
        max_length=MAX_DEVICES,
        default=list,
        help_text="Ids of devices here.",
    )
    user_ids = serializers.ListField(
        child=serializers.CharField(max_length=255),
        max_length=MAX_DEVICES,
        default=list,
        help_text="Users, for all their active devices.",
    )


class TrialResultSerializer(serializers.Serializer[Any]):
    """What became of the message to one device."""

    device_id = serializers.IntegerField()
    user_id = serializers.CharField()
    platform = serializers.CharField()
    project = serializers.CharField(help_text="Google's id of the FCM project.")
    status = serializers.ChoiceField(
        choices=PushLog.Status.choices, help_text="`skipped`: nothing was sent."
    )
    error = serializers.CharField()
    detail = serializers.CharField()
    message_id = serializers.CharField()


class TrialAnswerSerializer(serializers.Serializer[Any]):
    """What became of a test."""

    results = TrialResultSerializer(many=True)


class PreviewSerializer(serializers.Serializer[Any]):
    """One platform's request to FCM."""

    platform = serializers.CharField()
    request = serializers.DictField(help_text="The body, `<address>` and device 0 in their places.")
    size_bytes = serializers.IntegerField(help_text="Of the message without its address.")
    limit_bytes = serializers.IntegerField()


class PreviewAnswerSerializer(serializers.Serializer[Any]):
    """Every platform's request."""

    platforms = PreviewSerializer(many=True)


class ProjectEstimateSerializer(serializers.Serializer[Any]):
    """What one FCM project would have to send."""

    project_id = serializers.CharField()
    devices = serializers.IntegerField()
    quota_per_minute = serializers.IntegerField()
    messages_per_second = serializers.FloatField(
        allow_null=True, help_text="This priority's share of the quota now; null: no limit."
    )
    blocked_for_s = serializers.FloatField()
    seconds = serializers.FloatField(allow_null=True)


class EstimateSerializer(serializers.Serializer[Any]):
    """What a campaign would come to if it were launched now."""

    total = serializers.IntegerField()
    platforms = serializers.DictField(child=serializers.IntegerField())
    stale = serializers.IntegerField(
        help_text=f"Not seen for {STALE_AFTER.days} days: many of these are gone."
    )
    stale_share = serializers.FloatField()
    is_exact = serializers.BooleanField(help_text="Whether all were counted, not a part of them.")
    seconds_to_finish = serializers.FloatField(allow_null=True)
    projects = ProjectEstimateSerializer(many=True)


class RehearsalActions(viewsets.GenericViewSet[PushCampaign]):
    """The part of the campaign API that sends to nobody but those who test."""

    @extend_schema(request=TrialSerializer, responses=TrialAnswerSerializer)
    @action(detail=True, methods=["post"])
    @idempotent(claims_first=True)
    def test(self, request: Request, pk: str) -> Response:
        """Send the message to a few devices now; the campaign's account stays as it is."""
        wanted = TrialSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        results = send_trial(campaign_id=int(pk), clock=timezone.now, **wanted.validated_data)
        return Response(TrialAnswerSerializer({"results": results}).data)

    @extend_schema(responses=PreviewAnswerSerializer)
    @action(detail=True, methods=["get"], filter_backends=[], pagination_class=None)
    def preview(self, request: Request, pk: str) -> Response:
        """Show the exact JSON that goes to FCM for each platform, and its size."""
        platforms = [asdict(one) for one in preview_of(self.get_object(), now=timezone.now())]
        return Response(PreviewAnswerSerializer({"platforms": platforms}).data)

    @extend_schema(responses=EstimateSerializer)
    @action(detail=True, methods=["get"], filter_backends=[], pagination_class=None)
    def estimate(self, request: Request, pk: str) -> Response:
        """Tell whom the campaign would reach if it were launched now, and how long that takes."""
        estimate = estimate_of(self.get_object(), now=timezone.now())
        return Response(EstimateSerializer(asdict(estimate)).data)
