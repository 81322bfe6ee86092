"""Who calls the schedules' API."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from rest_framework.test import APIClient


def _client_of(role: str) -> APIClient:
    user = User.objects.create_user(role)
    user.groups.add(Group.objects.get_or_create(name=role)[0])
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.fixture
def sender() -> APIClient:
    return _client_of("sender")


@pytest.fixture
def editor() -> APIClient:
    return _client_of("editor")


@pytest.fixture
def viewer() -> APIClient:
    return _client_of("viewer")
