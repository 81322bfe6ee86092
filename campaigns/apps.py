"""Django's registration of `campaigns`."""

from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    """Campaigns and their ledger."""

    name = "campaigns"

    def ready(self) -> None:
        """Have segments and lists ask, before one is deleted, which campaigns need it."""
        from campaigns.audiences import users_of
        from devices.segments.references import register_users

        register_users(users_of)
