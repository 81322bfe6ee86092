from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from campaigns.access.keys import revoke_key
from tests.campaigns.access.cast import make_key, make_person, person, program
from tests.cast import NOW, make_campaign

pytestmark = pytest.mark.django_db


def test_a_key_opens_what_its_scopes_name_and_no_more() -> None:
    _, text = make_key("campaigns:read")
    campaign = make_campaign()
    assert program(text).get(f"/api/campaigns/{campaign.pk}/stats/").status_code == 200
    assert program(text).post(f"/api/campaigns/{campaign.pk}/cancel/").status_code == 403
    assert program(text).get("/api/devices/").status_code == 403


def test_a_key_does_not_borrow_the_roles_of_its_owner() -> None:
    _, text = make_key("devices:read", owner=make_person("admin"))
    assert program(text).get("/api/campaigns/").status_code == 403


def test_what_a_key_writes_was_created_by_its_owner() -> None:
    owner = make_person("viewer")
    _, text = make_key("campaigns:write", owner=owner)
    body = {"title": "Sale", "message": "Half price.", "target_all": True}
    answer = program(text).post("/api/campaigns/", body, format="json")
    assert (answer.status_code, answer.json()["created_by"]) == (201, owner.pk)


def test_the_keyword_is_read_in_any_case_and_with_blanks_around_the_key() -> None:
    _, text = make_key("campaigns:read")
    client = APIClient(headers={"Authorization": f"api-key  {text} "})
    assert client.get("/api/campaigns/").status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "Api-Key",
        "Api-Key ",
        "Api-Key abcdefgh.12345678901234567890123456789012",
        "Api-Key \xff\xfe",
        "Token 0123",
        "Bearer 0123",
        "Basic cm9vdDpyb290",
    ],
)
def test_anything_else_opens_nothing(header: str) -> None:
    answer = APIClient(headers={"Authorization": header}).get("/api/campaigns/")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Api-Key")


def test_a_refusal_does_not_tell_a_revoked_key_from_one_that_never_was() -> None:
    key, text = make_key("admin")
    revoke_key(key_id=key.pk, now=NOW)
    revoked = program(text).get("/api/campaigns/")
    unknown = program("abcdefgh.12345678901234567890123456789012").get("/api/campaigns/")
    assert revoked.status_code == unknown.status_code == 401
    assert "This API key is not valid." in revoked.content.decode()
    assert "This API key is not valid." in unknown.content.decode()


def test_a_session_needs_its_csrf_token() -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(make_person("admin"))
    campaign = make_campaign()
    answer = client.post(f"/api/campaigns/{campaign.pk}/cancel/")
    campaign.refresh_from_db()
    assert (answer.status_code, campaign.status) == (403, "draft")


def test_whoever_is_dismissed_is_out_at_once() -> None:
    client = person("admin")
    assert client.get("/api/campaigns/").status_code == 200
    User.objects.update(is_active=False)
    assert client.get("/api/campaigns/").status_code == 401


def test_a_key_costs_one_query_once_its_use_is_noted(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    _, text = make_key("campaigns:read")
    campaign = make_campaign()
    address = f"/api/campaigns/{campaign.pk}/stats/"
    program(text).get(address)  # notes the use
    with django_assert_num_queries(2):  # the key; the campaign with its lanes
        program(text).get(address)


def test_a_session_costs_three_queries(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    client = person("viewer")
    campaign = make_campaign()
    with django_assert_num_queries(4):  # session, user, roles; the campaign with its lanes
        client.get(f"/api/campaigns/{campaign.pk}/stats/")
