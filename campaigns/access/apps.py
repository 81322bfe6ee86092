"""The app's name and place."""

from django.apps import AppConfig


class AccessConfig(AppConfig):
    """Who may do what: API keys, roles, throttles, and the trail of who did it."""

    name = "campaigns.access"
    label = "access"
