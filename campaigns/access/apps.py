"""The app's name and place, and what it attaches to others."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccessConfig(AppConfig):
    """Who may do what: API keys, roles, throttles, and the trail of who did it."""

    name = "campaigns.access"
    label = "access"

    def ready(self) -> None:
        """Have the roles' groups made wherever the tables are, and the audit trail kept."""
        from campaigns.access.roles import make_groups
        from campaigns.access.tracked import track_all

        post_migrate.connect(make_groups, sender=self)
        track_all()
