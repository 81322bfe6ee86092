"""The app's name and place."""

from django.apps import AppConfig


class IdempotencyConfig(AppConfig):
    """The same request twice has one effect, and one answer."""

    name = "campaigns.idempotency"
    label = "idempotency"
