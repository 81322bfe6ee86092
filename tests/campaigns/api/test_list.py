from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from campaigns.models import PushCampaign
from tests.cast import make_campaign, planned, seconds_later

pytestmark = pytest.mark.django_db


def ids(client: APIClient, **query: Any) -> list[int]:
    answer = client.get("/api/campaigns/", query)
    assert answer.status_code == 200, answer.json()
    return [campaign["id"] for campaign in answer.json()["results"]]


def created(at: datetime, **fields: Any) -> PushCampaign:
    campaign = make_campaign(**fields)
    PushCampaign.objects.filter(pk=campaign.pk).update(created_at=at)
    return campaign


def stamp(seconds: float) -> str:
    return seconds_later(seconds).isoformat()


def test_the_newest_campaign_is_listed_first(staff: APIClient) -> None:
    first, second = make_campaign(), make_campaign()
    answer = staff.get("/api/campaigns/").json()
    assert list(answer) == ["count", "next", "previous", "results"]
    assert [campaign["id"] for campaign in answer["results"]] == [second.pk, first.pk]


def test_a_page_holds_fifty(staff: APIClient) -> None:
    for _ in range(51):
        make_campaign()
    first = staff.get("/api/campaigns/").json()
    second = staff.get(first["next"]).json()
    assert (len(first["results"]), len(second["results"]), second["next"]) == (50, 1, None)


def test_a_page_holds_as_many_as_are_asked_for(staff: APIClient) -> None:
    PushCampaign.objects.bulk_create(
        PushCampaign(title="Sale", message="x", target_all=True) for _ in range(201)
    )
    assert (len(ids(staff, page_size=3)), len(ids(staff, page_size=200))) == (3, 200)


@pytest.mark.parametrize("page", ["2", "99999999999999999999"])
def test_a_page_there_is_not_is_404(staff: APIClient, page: str) -> None:
    make_campaign()
    assert staff.get("/api/campaigns/", {"page": page}).status_code == 404


def test_a_list_can_be_narrowed_by_several_statuses_and_priorities(staff: APIClient) -> None:
    draft, high = make_campaign(), make_campaign(priority="high")
    running, _ = planned(1, priority="low")
    by = {
        query: [one["id"] for one in staff.get(f"/api/campaigns/?{query}").json()["results"]]
        for query in (
            "status=processing",
            "status=processing&status=draft",
            "priority=high",
            "priority=high&priority=low",
            "status=draft&priority=normal",
        )
    }
    assert by == {
        "status=processing": [running.pk],
        "status=processing&status=draft": [running.pk, high.pk, draft.pk],
        "priority=high": [high.pk],
        "priority=high&priority=low": [running.pk, high.pk],
        "status=draft&priority=normal": [draft.pk],
    }


def test_a_list_can_be_narrowed_by_when_they_were_created(staff: APIClient) -> None:
    early, late = created(seconds_later(0)), created(seconds_later(60))
    assert ids(staff, created_after=stamp(60)) == [late.pk]
    assert ids(staff, created_before=stamp(60)) == [early.pk]
    assert ids(staff, created_after=stamp(0), created_before=stamp(61)) == [late.pk, early.pk]


def test_a_list_can_be_narrowed_by_when_they_are_due(staff: APIClient) -> None:
    make_campaign()
    soon, later = (make_campaign(scheduled_at=seconds_later(s)) for s in (10, 20))
    assert ids(staff, scheduled_after=stamp(20)) == [later.pk]
    assert ids(staff, scheduled_before=stamp(20)) == [soon.pk]


def test_a_list_can_be_narrowed_by_author(staff: APIClient) -> None:
    author = get_user_model().objects.create_user("ann")
    make_campaign()
    hers = make_campaign(created_by=author)
    assert ids(staff, created_by=author.pk) == [hers.pk]
    assert ids(staff, created_by=author.pk + 1) == []


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("РАСПРОДАЖА", ["title"]),
        ("скидки до", ["message"]),
        ("скидк", ["message", "title"]),
        ("100%", ["percent"]),
        ("_", []),
        ("'; DROP TABLE campaigns_pushcampaign; --", []),
    ],
)
def test_a_search_finds_words_in_title_and_message_whatever_their_case(
    staff: APIClient, words: str, found: list[str]
) -> None:
    made = {
        "title": make_campaign(title="Распродажа и Скидки", message="x"),
        "message": make_campaign(title="Sale", message="Скидки до половины цены"),
        "percent": make_campaign(title="100% off", message="x"),
    }
    names = {campaign.pk: name for name, campaign in made.items()}
    assert sorted(names[key] for key in ids(staff, search=words)) == found


def test_a_list_comes_in_the_order_asked_for_with_what_has_no_time_last(staff: APIClient) -> None:
    none, soon, later = (
        make_campaign(title="a"),
        make_campaign(title="b", scheduled_at=seconds_later(10)),
        make_campaign(title="a", scheduled_at=seconds_later(20)),
    )
    assert ids(staff, ordering="scheduled_at") == [soon.pk, later.pk, none.pk]
    assert ids(staff, ordering="-scheduled_at") == [later.pk, soon.pk, none.pk]
    assert ids(staff, ordering="title,-scheduled_at") == [later.pk, none.pk, soon.pk]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "lost"),
        ("priority", "urgent"),
        ("created_after", "yesterday"),
        ("scheduled_before", "2026-13-01"),
        ("created_by", "ann"),
        ("created_by", "99999999999999999999"),
        ("search", "a\0b"),
        ("ordering", "message"),
        ("ordering", "created_by__password"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_by_name(
    staff: APIClient, name: str, value: str
) -> None:
    answer = staff.get("/api/campaigns/", {name: value})
    assert answer.status_code == 400
    assert name in str(answer.json())


def test_a_list_costs_the_same_statements_however_long_it_is(
    staff: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(10):
        make_campaign(target_all=False, target_user_ids=["ann"] * 10)
    with django_assert_num_queries(2):
        staff.get("/api/campaigns/")


def test_a_list_counts_the_users_instead_of_naming_them(staff: APIClient) -> None:
    make_campaign()
    some = make_campaign(target_all=False, target_user_ids=["ann", "bob"])
    [listed, everybody] = staff.get("/api/campaigns/").json()["results"]
    assert ("target_user_ids" in listed, listed["target_user_count"]) == (False, 2)
    assert everybody["target_user_count"] == 0
    alone = staff.get(f"/api/campaigns/{some.pk}/").json()
    assert (alone["target_user_ids"], alone["target_user_count"]) == (["ann", "bob"], 2)


def test_a_move_is_answered_without_the_users_it_is_for(staff: APIClient) -> None:
    campaign = make_campaign(target_all=False, target_user_ids=["ann", "bob"])
    answer = staff.post(f"/api/campaigns/{campaign.pk}/cancel/").json()
    assert (answer["status"], answer["target_user_count"]) == ("cancelled", 2)
    assert "target_user_ids" not in answer
