"""Django's registration of `campaigns`."""

from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    """Campaigns and their ledger."""

    name = "campaigns"
