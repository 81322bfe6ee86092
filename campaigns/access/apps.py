"""The app's name and place, and what is made after every `migrate`."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccessConfig(AppConfig):
    """Who may do what: API keys, roles, throttles, and the trail of who did it."""

    name = "campaigns.access"
    label = "access"

    def ready(self) -> None:
        """Have the roles' groups made wherever the tables are."""
        from campaigns.access.roles import make_groups

        post_migrate.connect(make_groups, sender=self)
