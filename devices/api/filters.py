"""Which devices a list shows."""

from __future__ import annotations

from django_filters import rest_framework as filters

from devices.models import DeviceToken


class DeviceFilter(filters.FilterSet):  # type: ignore[misc]  # ships no types
    """Filters, all by equality."""

    project = filters.CharFilter(field_name="project__project_id")
    user_id = filters.CharFilter()
    language = filters.CharFilter()
    country = filters.CharFilter()

    class Meta:
        model = DeviceToken
        fields = ["project", "user_id", "platform", "is_active", "language", "country"]
