"""Campaigns in Django's admin: to look at, as every change goes through `campaigns.services`."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest

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
    readonly_fields = [
        *("title", "message", "status", "status_reason", "priority"),
        *("total_recipients", "sent_count", "success_count", "failure_count"),
        *("invalid_count", "unknown_count", "skipped_count"),
        *("target_all", "named_users", "segment", "user_list"),
        *("exclude_segment", "exclude_user_list"),
        *("image_url", "link_url", "data_payload", "platform_overrides", "time_to_live_s"),
        *("rate_limit_per_second", "guarantee", "expires_at", "local_time", "timezone"),
        *("scheduled_at", "started_at", "completed_at", "created_by", "created_at"),
    ]
    fields = (*readonly_fields,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PushCampaign]:
        """Leave the named user ids where they are: each campaign may have a hundred thousand."""
        campaigns: QuerySet[PushCampaign] = super().get_queryset(request)
        return campaigns.defer("target_user_ids").annotate(user_count=F("target_user_ids__len"))

    @admin.display(description="Users that it names")
    def named_users(self, campaign: PushCampaign) -> int:
        """How many user ids it names."""
        return int(campaign.user_count)  # type: ignore[attr-defined]  # annotated

    def has_add_permission(self, request: object) -> bool:
        """Refuse: campaigns are created over the API."""
        return False

    def has_change_permission(self, request: object, obj: PushCampaign | None = None) -> bool:
        """Refuse: a form would write back counters that workers move meanwhile."""
        return False

    def has_delete_permission(self, request: object, obj: PushCampaign | None = None) -> bool:
        """Refuse: the account of what was sent stays."""
        return False
