"""Campaigns in Django's admin: looked at, never loaded with their audience."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.cast import make_campaign

pytestmark = pytest.mark.django_db


def test_no_page_loads_whom_a_campaign_names(admin_client: Client) -> None:
    campaign = make_campaign(target_all=False, target_user_ids=["ann", "bob"], priority="low")
    for page in ("", f"{campaign.pk}/change/"):
        with CaptureQueriesContext(connection) as asked:
            answer = admin_client.get(f"/admin/campaigns/pushcampaign/{page}")
        assert answer.status_code == 200
        # Counted it is, by array_length("…"."target_user_ids", 1).
        assert [one["sql"] for one in asked if '"target_user_ids", "' in one["sql"]] == []


def test_a_campaign_is_shown_with_its_account(admin_client: Client) -> None:
    campaign = make_campaign(
        target_all=False,
        target_user_ids=["ann", "bob", "eve"],
        status_reason="paused by hand",
        total_recipients=4_711,
        sent_count=815,
        success_count=815,
    )
    page = admin_client.get(f"/admin/campaigns/pushcampaign/{campaign.pk}/change/").content.decode()
    for shown in ("Users that it names", ">3<", "paused by hand", ">4711<", ">815<"):
        assert shown in page
    assert "bob" not in page
