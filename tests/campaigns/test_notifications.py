from __future__ import annotations

import pytest
from django.core.mail import EmailMessage
from pytest_django import Settings

from campaigns.models import PushCampaign
from campaigns.notifications import tell_admins
from tests.cast import make_campaign

pytestmark = pytest.mark.django_db


def ended_campaign() -> PushCampaign:
    campaign = make_campaign(title="Sale\r\nBcc: all@example.com")
    PushCampaign.objects.update(
        status="cancelled",
        status_reason="cancelled by hand",
        total_recipients=1_234_567,
        sent_count=1_234_560,
        success_count=1_234_500,
        failure_count=59,
        invalid_count=50,
        unknown_count=1,
        skipped_count=7,
    )
    return campaign


def test_the_administrators_get_the_final_account(
    settings: Settings, mailoutbox: list[EmailMessage]
) -> None:
    settings.ADMINS = [("Ann", "ann@example.com")]
    campaign = ended_campaign()
    tell_admins(campaign_id=campaign.pk)
    [mail] = mailoutbox
    assert mail.to == ["ann@example.com"]
    assert str(mail.subject).endswith(f"Campaign {campaign.pk} cancelled")
    figures = [line.split()[:2] for line in str(mail.body).splitlines()[-5:]]
    assert figures == [
        ["Recipients", "1,234,567"],
        ["Accepted", "1,234,500"],
        ["Failed", "59"],
        ["Unknown", "1"],
        ["Skipped", "7"],
    ]


def test_without_administrators_nobody_is_told(
    settings: Settings, mailoutbox: list[EmailMessage]
) -> None:
    settings.ADMINS = []
    tell_admins(campaign_id=ended_campaign().pk)
    assert mailoutbox == []
