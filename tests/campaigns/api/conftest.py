"""Who calls the API: nobody, somebody with an account, and the staff."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from tests.campaigns.conftest import Broker


@pytest.fixture
def staff_user() -> User:
    user: User = get_user_model().objects.create_user("staff", is_superuser=True)
    return user


@pytest.fixture
def staff(staff_user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(staff_user)
    return client


@pytest.fixture
def outsider() -> APIClient:
    """Somebody with an account, but not of the staff."""
    client = APIClient()
    client.force_authenticate(get_user_model().objects.create_user("outsider"))
    return client


@pytest.fixture
def anonymous() -> APIClient:
    return APIClient()


@pytest.fixture(autouse=True)
def _empty_queues(broker: Broker) -> None:
    """Whatever an endpoint publishes is gone with its test."""
