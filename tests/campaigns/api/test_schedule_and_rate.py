from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from tests.answers import complaints_in
from tests.cast import make_campaign

pytestmark = pytest.mark.django_db


def test_the_api_schedules_and_takes_back(staff: APIClient) -> None:
    campaign = make_campaign()
    moment = (timezone.now() + timedelta(hours=1)).isoformat()
    path = f"/api/campaigns/{campaign.pk}"
    answer = staff.post(f"{path}/schedule/", {"scheduled_at": moment}, format="json")
    assert (answer.status_code, answer.json()["status"]) == (200, "scheduled")
    answer = staff.post(f"{path}/unschedule/")
    assert (answer.status_code, answer.json()["status"]) == (200, "draft")


@pytest.mark.parametrize("moment", ["2020-01-01T00:00:00Z", "tomorrow", None])
def test_the_api_names_the_field_of_a_wrong_moment(staff: APIClient, moment: str | None) -> None:
    campaign = make_campaign()
    answer = staff.post(
        f"/api/campaigns/{campaign.pk}/schedule/", {"scheduled_at": moment}, format="json"
    )
    assert (answer.status_code, list(complaints_in(answer.json()))) == (400, ["scheduled_at"])
    campaign.refresh_from_db()
    assert campaign.status == "draft"


@pytest.mark.parametrize("rate", [0, -5, "fast", 1.5])
def test_the_api_refuses_what_is_no_rate(staff: APIClient, rate: object) -> None:
    campaign = make_campaign()
    answer = staff.post(
        f"/api/campaigns/{campaign.pk}/set-rate/", {"rate_limit_per_second": rate}, format="json"
    )
    assert (answer.status_code, list(complaints_in(answer.json()))) == (
        400,
        ["rate_limit_per_second"],
    )


@pytest.mark.parametrize("rate", [250, None])
def test_the_api_changes_the_rate(staff: APIClient, rate: int | None) -> None:
    campaign = make_campaign(rate_limit_per_second=10)
    answer = staff.post(
        f"/api/campaigns/{campaign.pk}/set-rate/", {"rate_limit_per_second": rate}, format="json"
    )
    assert (answer.status_code, answer.json()["rate_limit_per_second"]) == (200, rate)
