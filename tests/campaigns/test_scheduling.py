"""A campaign that is to start at a moment to come; beat starts it."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from campaigns import audiences, services
from campaigns.errors import IllegalMove, ScheduledInPast
from campaigns.models import PushCampaign
from tests.cast import NOW, make_campaign, make_devices, make_project, seconds_later, told_of

pytestmark = pytest.mark.django_db


def scheduled(*, in_s: float = 60, **fields: object) -> PushCampaign:
    campaign = make_campaign(**fields)
    services.schedule_campaign(campaign_id=campaign.pk, scheduled_at=seconds_later(in_s), now=NOW)
    return reloaded(campaign)


def reloaded(campaign: PushCampaign) -> PushCampaign:
    campaign.refresh_from_db()
    return campaign


def test_a_scheduled_campaign_starts_when_its_time_has_come_and_once() -> None:
    make_devices(make_project(), 1)
    campaign = scheduled(in_s=60)
    assert services.start_due_campaigns(now=seconds_later(59)) == 0
    assert reloaded(campaign).status == "scheduled"
    assert services.start_due_campaigns(now=seconds_later(60)) == 1
    assert services.start_due_campaigns(now=seconds_later(61)) == 0
    assert (reloaded(campaign).status, campaign.started_at) == ("processing", seconds_later(60))


def test_its_moment_can_be_moved() -> None:
    campaign = scheduled(in_s=60)
    services.schedule_campaign(campaign_id=campaign.pk, scheduled_at=seconds_later(90), now=NOW)
    assert reloaded(campaign).scheduled_at == seconds_later(90)
    assert services.start_due_campaigns(now=seconds_later(60)) == 0


def test_one_that_is_taken_back_does_not_start() -> None:
    campaign = scheduled()
    services.unschedule_campaign(campaign_id=campaign.pk)
    assert services.start_due_campaigns(now=seconds_later(600)) == 0
    assert (reloaded(campaign).status, campaign.scheduled_at) == ("draft", None)


def test_one_that_expired_before_anybody_looked_is_cancelled_and_says_so() -> None:
    campaign = scheduled(in_s=60, expires_at=seconds_later(300))
    assert services.start_due_campaigns(now=seconds_later(300)) == 0
    assert (reloaded(campaign).status, campaign.started_at) == ("cancelled", None)
    assert "expired" in campaign.status_reason


def test_one_that_is_overdue_past_the_cut_off_is_a_draft_again_and_says_so(
    settings: Settings,
) -> None:
    settings.SCHEDULE_LATENESS_S = 100
    in_time, missed = scheduled(in_s=60), scheduled(in_s=59)
    assert services.start_due_campaigns(now=seconds_later(160)) == 1
    assert reloaded(in_time).status == "processing"
    assert (reloaded(missed).status, missed.scheduled_at) == ("draft", None)
    assert missed.status_reason == "missed: nobody could start it when it was scheduled"
    assert (told_of(in_time), told_of(missed)) == ([], ["campaign.missed"])
    services.schedule_campaign(
        campaign_id=missed.pk, scheduled_at=seconds_later(300), now=seconds_later(200)
    )
    assert (reloaded(missed).status, missed.status_reason) == ("scheduled", "")


def test_one_that_cant_be_sent_any_more_is_a_draft_again_and_says_so() -> None:
    refused, other = scheduled(in_s=60), scheduled(in_s=60)
    PushCampaign.objects.filter(pk=refused.pk).update(target_all=False)
    assert services.start_due_campaigns(now=seconds_later(60)) == 1
    assert (reloaded(refused).status, reloaded(other).status) == ("draft", "processing")
    assert refused.status_reason.startswith("missed: it could not be sent when it was due: ")
    assert "target" in refused.status_reason
    assert told_of(refused) == ["campaign.missed"]


def test_one_that_our_own_code_fails_over_keeps_no_other_from_starting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken, other = scheduled(in_s=60), scheduled(in_s=60)

    def failing(campaign: PushCampaign) -> None:
        if campaign.pk == broken.pk:
            raise KeyError("x")
        audiences.fix_audience(campaign)

    monkeypatch.setattr(services, "fix_audience", failing)
    assert services.start_due_campaigns(now=seconds_later(60)) == 1
    assert (reloaded(broken).status, reloaded(other).status) == ("scheduled", "processing")


def test_a_moment_that_has_passed_is_refused() -> None:
    campaign = make_campaign()
    with pytest.raises(ScheduledInPast, match="has passed"):
        services.schedule_campaign(campaign_id=campaign.pk, scheduled_at=NOW, now=NOW)
    assert reloaded(campaign).status == "draft"


def test_what_was_started_is_not_scheduled_any_more() -> None:
    campaign = scheduled()
    services.start_due_campaigns(now=seconds_later(60))
    with pytest.raises(IllegalMove, match="Cannot schedule a campaign that is processing"):
        services.schedule_campaign(
            campaign_id=campaign.pk, scheduled_at=seconds_later(90), now=seconds_later(61)
        )
