from __future__ import annotations

import pytest
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
