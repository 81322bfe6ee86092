from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from tests.cast import make_campaign

pytestmark = pytest.mark.django_db

ENDPOINTS = [
    ("get", "/api/campaigns/"),
    ("post", "/api/campaigns/"),
    ("get", "/api/campaigns/{id}/"),
    ("put", "/api/campaigns/{id}/"),
    ("patch", "/api/campaigns/{id}/"),
    ("delete", "/api/campaigns/{id}/"),
    ("post", "/api/campaigns/{id}/duplicate/"),
    ("get", "/api/campaigns/{id}/stats/"),
    ("get", "/api/campaigns/active/"),
    ("post", "/api/campaigns/{id}/send/"),
    ("post", "/api/campaigns/{id}/pause/"),
    ("post", "/api/campaigns/{id}/resume/"),
    ("post", "/api/campaigns/{id}/cancel/"),
    ("post", "/api/campaigns/{id}/retry-failed/"),
]


def call(client: APIClient, method: str, path: str) -> int:
    campaign = make_campaign()
    response = client.generic(method.upper(), path.format(id=campaign.pk))
    campaign.refresh_from_db()
    assert campaign.status == "draft"
    return response.status_code


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_nobody_gets_in_without_an_account(anonymous: APIClient, method: str, path: str) -> None:
    assert call(anonymous, method, path) == 401


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_an_account_outside_the_staff_is_not_enough(
    outsider: APIClient, method: str, path: str
) -> None:
    assert call(outsider, method, path) == 403


def test_a_token_opens_the_api(anonymous: APIClient, staff_user: User) -> None:
    token = Token.objects.create(user=staff_user)
    answer = anonymous.get("/api/campaigns/", headers={"Authorization": f"Token {token.key}"})
    assert answer.status_code == 200


def test_a_wrong_token_does_not(anonymous: APIClient) -> None:
    answer = anonymous.get("/api/campaigns/", headers={"Authorization": "Token 0123"})
    assert answer.status_code == 401


def test_a_session_needs_its_csrf_token(staff_user: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(staff_user)
    campaign = make_campaign()
    answer = client.post(f"/api/campaigns/{campaign.pk}/cancel/")
    campaign.refresh_from_db()
    assert (answer.status_code, campaign.status) == (403, "draft")


def test_a_token_of_a_dismissed_member_of_the_staff_is_refused(
    anonymous: APIClient, staff_user: User
) -> None:
    token = Token.objects.create(user=staff_user)
    staff_user.is_active = False
    staff_user.save(update_fields=["is_active"])
    answer = anonymous.get("/api/campaigns/", headers={"Authorization": f"Token {token.key}"})
    assert answer.status_code == 401
