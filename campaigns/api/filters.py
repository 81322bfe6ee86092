"""Which campaigns a list shows, and in what order."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import F, Q, QuerySet
from django_filters import rest_framework as filters

from campaigns.models import PushCampaign
from campaigns.states import CampaignStatus
from devices.api.filters import MomentFilter, WordsFilter
from pushcore.messages import Priority

ORDERINGS = ("id", "created_at", "scheduled_at", "started_at", "completed_at", "title")


class _Ordering(filters.OrderingFilter):  # type: ignore[misc]  # ships no types
    """By one field or several; those without a time come last, the newest first among equals."""

    def filter(
        self, queryset: QuerySet[PushCampaign], value: Sequence[str] | None
    ) -> QuerySet[PushCampaign]:
        if not value:
            return queryset
        chosen = [
            F(name[1:]).desc(nulls_last=True)
            if name.startswith("-")
            else F(name).asc(nulls_last=True)
            for name in value
        ]
        return queryset.order_by(*chosen, "-pk")


class CampaignFilter(filters.FilterSet):  # type: ignore[misc]  # as above
    """Filters that all have to hold; `status` and `priority` may be given several times."""

    status = WordsFilter(choices=CampaignStatus.choices)
    priority = WordsFilter(choices=[(one.value, one.value) for one in Priority])
    created_by = filters.NumberFilter(
        field_name="created_by_id", min_value=1, max_value=2**31 - 1, label="The author's id."
    )
    created_after = MomentFilter("created_at", "gte", label="Then or later.")
    created_before = MomentFilter("created_at", "lt", label="Earlier than that.")
    scheduled_after = MomentFilter("scheduled_at", "gte", label="Then or later.")
    scheduled_before = MomentFilter("scheduled_at", "lt", label="Earlier than that.")
    search = filters.CharFilter(method="find", label="A part of title or message, in any case.")
    ordering = _Ordering(
        fields=[(name, name) for name in ORDERINGS],
        error_messages={"invalid_choice": f"Must be of {', '.join(ORDERINGS)}, with or without -."},
    )

    class Meta:
        model = PushCampaign
        fields: list[str] = []

    def find(
        self, queryset: QuerySet[PushCampaign], _name: str, words: str
    ) -> QuerySet[PushCampaign]:
        """Keep those whose title or message has the words in it."""
        return queryset.filter(Q(title__icontains=words) | Q(message__icontains=words))
