"""Django's view of this folder."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Channels, notices and their deliveries."""

    name = "campaigns.notifications"
    label = "notifications"
