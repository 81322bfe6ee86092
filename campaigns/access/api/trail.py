"""The audit trail over HTTP: it is read, and nothing else."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from auditlog.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field
from rest_framework import mixins, serializers, viewsets

from campaigns.access.tracked import TRACKED
from devices.api.filters import MomentFilter, WordFilter
from devices.api.pagination import NewestFirst
from devices.api.queries import HeardQuery, Parameters, parameters_of

_ACTIONS: Final = {
    "create": LogEntry.Action.CREATE,
    "update": LogEntry.Action.UPDATE,
    "delete": LogEntry.Action.DELETE,
}


class EntrySerializer(serializers.ModelSerializer[LogEntry]):
    """Who did what to what, when, and how it was before and after."""

    at = serializers.DateTimeField(source="timestamp")
    action = serializers.SerializerMethodField()
    object_type = serializers.SerializerMethodField()
    object_id = serializers.CharField(source="object_pk")
    object_text = serializers.CharField(source="object_repr")
    actor_name = serializers.CharField(source="actor.username", default=None, allow_null=True)
    by = serializers.JSONField(
        source="additional_data",
        help_text="`via`: request, api key, command or task; and which key, command or task.",
    )
    request_id = serializers.CharField(source="cid", allow_null=True)
    changes = serializers.JSONField(help_text="Field → before and after.")

    class Meta:
        model = LogEntry
        fields = [
            "id",
            "at",
            "action",
            "object_type",
            "object_id",
            "object_text",
            "actor",
            "actor_name",
            "by",
            "remote_addr",
            "request_id",
            "changes",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=list(_ACTIONS)))
    def get_action(self, entry: LogEntry) -> str:
        """Return create, update or delete."""
        return str(entry.get_action_display())

    @extend_schema_field(serializers.ChoiceField(choices=list(TRACKED)))
    def get_object_type(self, entry: LogEntry) -> str:
        """Return what the API calls it."""
        return _NAMES[entry.content_type.model_class()]


_NAMES: Final[dict[Any, str]] = {model: name for name, model in TRACKED.items()}


class EntryFilter(filters.FilterSet):  # type: ignore[misc]  # ships no types
    """Entries of one object, of one kind, by one person, or of a time."""

    object_type = WordFilter(choices=[(name, name) for name in TRACKED], method="of_type")
    object_id = filters.CharFilter(field_name="object_pk", max_length=255)
    actor = filters.NumberFilter(
        field_name="actor_id", min_value=1, max_value=2**31 - 1, decimal_places=0
    )
    action = WordFilter(choices=[(name, name) for name in _ACTIONS], method="of_action")
    since = MomentFilter(field_name="timestamp", lookup_expr="gte")
    until = MomentFilter(field_name="timestamp", lookup_expr="lt")

    def of_type(self, entries: QuerySet[LogEntry], _: str, value: str) -> QuerySet[LogEntry]:
        """Leave those of one kind of object."""
        return entries.filter(content_type=ContentType.objects.get_for_model(TRACKED[value]))

    def of_action(self, entries: QuerySet[LogEntry], _: str, value: str) -> QuerySet[LogEntry]:
        """Leave those of one action."""
        return entries.filter(action=_ACTIONS[value])


class AuditLogViewSet(HeardQuery, mixins.ListModelMixin, viewsets.GenericViewSet[LogEntry]):
    """The audit trail, newest first."""

    required_scopes: ClassVar[dict[str, str]] = {"list": "admin"}
    parameters: ClassVar[dict[str, Parameters]] = {"list": parameters_of(EntryFilter, NewestFirst)}
    queryset = LogEntry.objects.select_related("actor", "content_type").order_by("-pk")
    serializer_class = EntrySerializer
    filterset_class = EntryFilter
    pagination_class = NewestFirst
