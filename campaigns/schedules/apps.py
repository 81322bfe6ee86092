"""The app's name and place."""

from django.apps import AppConfig


class SchedulesConfig(AppConfig):
    """Campaigns that come again: cron, time zones, windows."""

    name = "campaigns.schedules"
    label = "schedules"
