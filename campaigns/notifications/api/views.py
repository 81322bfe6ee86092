"""The API of channels: each action is one call into `campaigns.notifications.channels`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar, TypeVar

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django_filters import rest_framework as filters
from django_filters.utils import translate_validation
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.pagination import CampaignPages
from campaigns.notifications import channels
from campaigns.notifications.api.serializers import (
    ChannelChangeSerializer,
    ChannelSerializer,
    CreatedChannelSerializer,
    NewChannelSerializer,
    NoticeDeliverySerializer,
    RenewalSerializer,
    SecretSerializer,
)
from campaigns.notifications.models import Channel, Delivery, DeliveryState
from devices.api.bodies import takes_nothing
from devices.api.filters import WordsFilter
from devices.api.queries import HeardQuery, Parameters, parameters_of

Result = TypeVar("Result")


class Conflict(APIException):
    """What is asked for is under way already."""

    status_code = 409
    default_code = "conflict"


class DeliveryFilter(filters.FilterSet):  # type: ignore[misc]  # ships no types
    """Which deliveries a list shows."""

    state = WordsFilter(choices=DeliveryState.choices)

    class Meta:
        model = Delivery
        fields: list[str] = []


class ChannelViewSet(
    HeardQuery,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[Channel],
):
    """Who is told when a campaign completes, fails, is paused by a refusal, or stands still."""

    queryset = Channel.objects.order_by("pk")
    serializer_class = ChannelSerializer
    pagination_class = CampaignPages
    filter_backends = []
    lookup_value_regex = r"\d{1,18}"
    parameters: ClassVar[dict[str, Parameters]] = {
        "list": parameters_of(CampaignPages),
        "deliveries": parameters_of(DeliveryFilter, CampaignPages),
    }
    required_scopes: ClassVar[dict[str, str]] = dict.fromkeys(
        [
            "list",
            "retrieve",
            "create",
            "partial_update",
            "destroy",
            "test",
            "renew_secret",
            "deliveries",
            "replay",
        ],
        "admin",
    )

    @extend_schema(request=NewChannelSerializer, responses={201: CreatedChannelSerializer})
    def create(self, request: Request) -> Response:
        """Make a channel; a webhook's secret is shown in this answer only."""
        given = NewChannelSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        channel, secret = _checked(
            lambda: channels.create_channel(
                user=request.user, now=timezone.now(), **given.validated_data
            )
        )
        return Response(ChannelSerializer(channel).data | {"secret": secret}, status=201)

    @extend_schema(request=ChannelChangeSerializer, responses={200: ChannelSerializer})
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a channel, switch it off, or on again."""
        channel = self.get_object()
        given = ChannelChangeSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        channel = _checked(
            lambda: channels.change_channel(channel_id=channel.pk, **given.validated_data)
        )
        return Response(ChannelSerializer(channel).data)

    @extend_schema(request=None, responses={200: NoticeDeliverySerializer})
    @action(detail=True, methods=["post"])
    @takes_nothing
    def test(self, request: Request, pk: str) -> Response:
        """Tell the channel that this is a test, and say at once what came of it."""
        made = _checked(lambda: channels.test_channel(channel_id=int(pk), clock=timezone.now))
        return Response(NoticeDeliverySerializer(made).data)

    @extend_schema(request=RenewalSerializer, responses={200: SecretSerializer})
    @action(detail=True, methods=["post"], url_path="renew-secret")
    def renew_secret(self, request: Request, pk: str) -> Response:
        """Give a webhook another secret; for a while the old one signs as well."""
        given = RenewalSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        overlap = timedelta(seconds=given.validated_data["overlap_s"])
        secret = _checked(
            lambda: channels.renew_secret(channel_id=int(pk), now=timezone.now(), overlap=overlap)
        )
        return Response({"secret": secret})

    @extend_schema(
        parameters=[OpenApiParameter("state", enum=DeliveryState.values, many=True)],
        responses={200: NoticeDeliverySerializer(many=True)},
    )
    @action(detail=True, methods=["get"])
    def deliveries(self, request: Request, pk: str) -> Response:
        """List what the channel was told, the newest first, with every try."""
        channel = self.get_object()
        found = (
            Delivery.objects.filter(channel=channel)
            .select_related("notice")
            .prefetch_related("log")
            .order_by("-pk")
        )
        chosen = DeliveryFilter(request.query_params, queryset=found)
        if not chosen.is_valid():
            raise translate_validation(chosen.errors)
        page = self.paginate_queryset(chosen.qs)
        return self.get_paginated_response(NoticeDeliverySerializer(page, many=True).data)

    @extend_schema(request=None, responses={202: NoticeDeliverySerializer})
    @action(detail=True, methods=["post"], url_path=r"deliveries/(?P<delivery_id>\d{1,18})/replay")
    @takes_nothing
    def replay(self, request: Request, pk: str, delivery_id: str) -> Response:
        """Have a notice delivered once more."""
        wanted = get_object_or_404(Delivery, pk=delivery_id, channel=self.get_object())
        _checked(lambda: channels.replay(delivery_id=wanted.pk, now=timezone.now()))
        wanted.refresh_from_db()
        return Response(NoticeDeliverySerializer(wanted).data, status=202)


def _checked(call: Callable[[], Result]) -> Result:
    """Make the call; turn what the domain refuses into the API's answers."""
    try:
        return call()
    except channels.FieldRefused as refusal:
        raise ValidationError({refusal.field: [refusal.reason]}) from refusal
    except channels.NothingToReplay as refusal:
        raise Conflict(str(refusal)) from refusal
    except Channel.DoesNotExist:
        raise Http404("There is no such channel.") from None
