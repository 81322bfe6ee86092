"""Campaigns in Django's admin: to look at, as every change goes through `campaigns.services`."""

from __future__ import annotations

from django.contrib import admin

from campaigns.models import PushCampaign


@admin.register(PushCampaign)
class PushCampaignAdmin(admin.ModelAdmin):
    """Campaigns and their accounts."""

    list_display = [
        "title",
        "status",
        "priority",
        "total_recipients",
        "success_count",
        "failure_count",
        "unknown_count",
        "started_at",
        "completed_at",
    ]
    list_filter = ["status", "priority"]

    def has_add_permission(self, request: object) -> bool:
        """Refuse: campaigns are created over the API."""
        return False

    def has_change_permission(self, request: object, obj: PushCampaign | None = None) -> bool:
        """Refuse: a form would write back counters that workers move meanwhile."""
        return False

    def has_delete_permission(self, request: object, obj: PushCampaign | None = None) -> bool:
        """Refuse: the account of what was sent stays."""
        return False
