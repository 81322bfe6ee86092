"""FCM projects and devices in Django's admin."""

from __future__ import annotations

from django.contrib import admin

from devices.models import DeviceToken, FcmProject


@admin.register(FcmProject)
class FcmProjectAdmin(admin.ModelAdmin):
    """Where projects are set up: credentials are named here, never shown or stored in clear."""

    list_display = ["project_id", "quota_per_minute", "created_at"]


@admin.register(DeviceToken)
class DeviceTokenAdmin(admin.ModelAdmin):
    """Devices to look up, by the user's id; the application registers them over the API."""

    list_display = ["pk", "user_id", "platform", "is_active", "inactive_reason", "last_seen_at"]
    list_filter = ["is_active", "platform", "inactive_reason"]
    search_fields = ["=user_id"]
    show_full_result_count = False

    def has_add_permission(self, request: object) -> bool:
        """Refuse: nobody types in an address."""
        return False

    def has_change_permission(self, request: object, obj: DeviceToken | None = None) -> bool:
        """Refuse: the application owns its devices."""
        return False
