"""What people are told about their campaigns."""

from __future__ import annotations

from django.core.mail import mail_admins

from campaigns.models import PushCampaign


def tell_admins(*, campaign_id: int) -> None:
    """Mail the campaign's final account to `settings.ADMINS`; to nobody where that is empty."""
    campaign = PushCampaign.objects.get(pk=campaign_id)
    lines = [
        f"{campaign.title} is {campaign.status}.",
        campaign.status_reason,
        "",
        f"Recipients  {campaign.total_recipients:>12,}",
        f"Accepted    {campaign.success_count:>12,}",
        f"Failed      {campaign.failure_count:>12,}  (dead addresses: {campaign.invalid_count:,})",
        f"Unknown     {campaign.unknown_count:>12,}",
        f"Skipped     {campaign.skipped_count:>12,}",
    ]
    mail_admins(f"Campaign {campaign_id} {campaign.status}", "\n".join(lines))
