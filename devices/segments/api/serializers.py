"""Segments and lists as JSON, in and out. What rules may say is told by `segments.rules` alone."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.db.models import Prefetch, Q, prefetch_related_objects
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from devices.api.bodies import OneOf, Strict
from devices.api.uploads import UploadSerializer
from devices.segments.models import BuildStatus, Membership, Segment, SegmentKind, UserList


class MembershipSerializer(serializers.ModelSerializer[Membership]):
    """Who is in a static segment, and how far that is evaluated."""

    size = serializers.IntegerField(read_only=True)

    class Meta:
        model = Membership
        fields = ["as_of", "status", "size", "finished_at"]
        read_only_fields = fields


SHOWN_MEMBERSHIPS: Final = Prefetch(
    "memberships",
    Membership.objects.filter(Q(status=BuildStatus.COMPLETED) | Q(finished_at=None))
    .order_by("segment", "status", "-pk")
    .distinct("segment", "status"),
    to_attr="shown_memberships",
)
"""Of each segment the last whole evaluation, and the one that is under way: one query for all."""


class SegmentSerializer(serializers.ModelSerializer[Segment]):
    """A segment; `current` and `under_way` are a static one's."""

    current = serializers.SerializerMethodField()
    under_way = serializers.SerializerMethodField()

    class Meta:
        model = Segment
        fields = [
            "id",
            "name",
            "description",
            "kind",
            "rules",
            "current",
            "under_way",
            "created_by",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields

    VERSION_FIELDS: ClassVar = frozenset({"name", "description", "kind", "rules"})

    @extend_schema_field(MembershipSerializer(allow_null=True))
    def get_current(self, segment: Segment) -> dict[str, Any] | None:
        """Return who campaigns get now."""
        return _shown(segment, is_under_way=False)

    @extend_schema_field(MembershipSerializer(allow_null=True))
    def get_under_way(self, segment: Segment) -> dict[str, Any] | None:
        """Return the evaluation that a worker is at, or will be."""
        return _shown(segment, is_under_way=True)


def _shown(segment: Segment, *, is_under_way: bool) -> dict[str, Any] | None:
    if segment.kind != SegmentKind.STATIC:
        return None
    prefetch_related_objects([segment], SHOWN_MEMBERSHIPS)  # unless a list has done it for all
    memberships: list[Membership] = segment.shown_memberships  # type: ignore[attr-defined]
    for one in memberships:
        if (one.finished_at is None) is is_under_way:
            return dict(MembershipSerializer(one).data)
    return None


class RulesSerializer(Strict):
    """Rules that need not be saved."""

    rules = serializers.DictField(
        help_text='A tree: `{"all": […]}`, `{"any": […]}`, `{"not": …}`,'
        ' or `{"field": …, "op": …, "value": …}`.'
    )


class SegmentChangesSerializer(RulesSerializer):
    """What can be changed of a segment."""

    name = serializers.CharField(max_length=200)
    description = serializers.CharField(max_length=2_000, allow_blank=True, required=False)


class NewSegmentSerializer(SegmentChangesSerializer):
    """A segment to be."""

    kind = OneOf(SegmentKind.choices, default=SegmentKind.DYNAMIC)


class ReachSerializer(serializers.Serializer[Any]):
    """How many active devices there are."""

    total = serializers.IntegerField()
    platforms = serializers.DictField(child=serializers.IntegerField())
    is_exact = serializers.BooleanField(
        help_text="Counted; else estimated from a part of the devices."
    )
    margin = serializers.IntegerField(
        help_text="`total` is within so many of it, nineteen times out of twenty."
    )


class NewListSerializer(serializers.Serializer[Any]):
    """What an uploaded list is called."""

    name = serializers.CharField(max_length=200)
    description = serializers.CharField(
        max_length=2_000, allow_blank=True, required=False, default=""
    )


class UserListSerializer(UploadSerializer[UserList]):
    """How far a list is read; when completed, rows = rejected + repeated + size."""

    rejects_route = "user-list-rejects"

    class Meta:
        model = UserList
        fields = [
            "id",
            "name",
            "description",
            "status",
            "failure",
            "file_format",
            "total_bytes",
            "bytes_read",
            "rows",
            "rejected",
            "repeated",
            "size",
            "rejects",
            "created_by",
            "created_at",
            "finished_at",
        ]
        read_only_fields = fields
