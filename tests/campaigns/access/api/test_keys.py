from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from campaigns.access.models import ApiKey
from tests.campaigns.access.cast import make_key, make_person, person, program

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> APIClient:
    return person("admin")


def create(client: APIClient, **fields: Any) -> Any:
    body = {"name": "shop", "scopes": ["devices:write", "devices:read"]} | fields
    return client.post("/api/api-keys/", body, format="json")


def test_a_new_key_is_shown_once_and_works(admin: APIClient) -> None:
    answer = create(admin)
    issued = answer.json()
    assert answer.status_code == 201
    assert answer["Cache-Control"] == "no-store"
    assert issued["scopes"] == ["devices:read", "devices:write"]
    assert (issued["state"], issued["created_by"]) == ("active", make_person("admin").pk)
    assert program(issued["key"]).get("/api/devices/").status_code == 200
    key = ApiKey.objects.get()
    for address in ("/api/api-keys/", f"/api/api-keys/{key.pk}/"):
        shown = admin.get(address).content.decode()
        assert key.prefix in shown
        assert issued["key"].partition(".")[2] not in shown
        assert key.hashed_key not in shown


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"scopes": None}, "scopes"),
        ({"scopes": ["admin"] * 7}, "scopes"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "soon"}, "expires_at"),
    ],
)
def test_a_bad_request_names_the_field_and_issues_nothing(
    admin: APIClient, fields: dict[str, Any], wrong: str
) -> None:
    answer = create(admin, **fields)
    assert answer.status_code == 400
    assert wrong in answer.content.decode()
    assert not ApiKey.objects.exists()


def test_what_is_not_the_callers_to_set_is_not_set(admin: APIClient) -> None:
    stranger = make_person("viewer")
    create(admin, prefix="aaaaaaaa", hashed_key="sha512$$0", created_by=stranger.pk)
    for key in ApiKey.objects.all():
        assert key.created_by == make_person("admin")
        assert (key.prefix, key.hashed_key) != ("aaaaaaaa", "sha512$$0")


def test_a_key_that_may_issue_keys_issues_them_in_its_owners_name() -> None:
    owner = make_person("viewer")
    _, text = make_key("admin", owner=owner)
    assert create(program(text)).json()["created_by"] == owner.pk


def test_rotation_answers_with_the_new_key_and_lets_the_old_one_expire(admin: APIClient) -> None:
    old, old_text = make_key("devices:read")
    now = timezone.now()
    answer = admin.post(f"/api/api-keys/{old.pk}/rotate/", {"overlap_s": 600}, format="json")
    issued = answer.json()
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
    assert (issued["replaces"], issued["scopes"]) == (old.pk, ["devices:read"])
    old.refresh_from_db()
    assert old.expires_at is not None
    assert timedelta(seconds=600) <= old.expires_at - now < timedelta(seconds=660)
    for text in (old_text, issued["key"]):
        assert program(text).get("/api/devices/").status_code == 200


def test_a_second_rotation_is_a_conflict(admin: APIClient) -> None:
    key, _ = make_key("devices:read")
    answers = [admin.post(f"/api/api-keys/{key.pk}/rotate/") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 409]
    assert "rotated before" in answers[1].content.decode()
    assert ApiKey.objects.count() == 2


@pytest.mark.parametrize("overlap_s", [-1, 30 * 86_400 + 1, "long"])
def test_an_overlap_has_bounds(admin: APIClient, overlap_s: object) -> None:
    key, _ = make_key("devices:read")
    answer = admin.post(f"/api/api-keys/{key.pk}/rotate/", {"overlap_s": overlap_s}, format="json")
    assert answer.status_code == 400
    assert "overlap_s" in answer.content.decode()
    assert ApiKey.objects.get().expires_at is None


def test_a_revoked_key_is_out_at_once(admin: APIClient) -> None:
    key, text = make_key("devices:read")
    answer = admin.post(f"/api/api-keys/{key.pk}/revoke/")
    assert (answer.status_code, answer.json()["state"]) == (200, "revoked")
    assert program(text).get("/api/devices/").status_code == 401


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_a_key_is_neither_changed_nor_deleted(admin: APIClient, method: str) -> None:
    key, _ = make_key("devices:read")
    assert getattr(admin, method)(f"/api/api-keys/{key.pk}/").status_code == 405


@pytest.mark.parametrize("action", ["", "rotate/", "revoke/"])
def test_an_unknown_key_is_not_found(admin: APIClient, action: str) -> None:
    call = admin.post if action else admin.get
    assert call(f"/api/api-keys/4711/{action}").status_code == 404


def test_many_keys_cost_as_many_queries_as_one(
    admin: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(3):
        make_key("devices:read")
    with django_assert_num_queries(4):  # session, user, roles, keys
        assert len(admin.get("/api/api-keys/").json()["results"]) == 3
