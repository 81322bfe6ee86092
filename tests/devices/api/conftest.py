"""Who calls the API, and the project that devices belong to."""

from __future__ import annotations

import json
from typing import Any, NamedTuple, Protocol, cast

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from devices.models import FcmProject
from tests.cast import make_project


class Answer(NamedTuple):
    """What the API answered."""

    status: int
    body: Any


class Call(Protocol):
    """Sends JSON, escaped as many clients send it: half a surrogate pair can arrive so."""

    def __call__(self, method: str, path: str, body: Any = None) -> Answer: ...


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
def call(staff: APIClient) -> Call:
    def send(method: str, path: str, body: Any = None) -> Answer:
        data = "" if body is None else json.dumps(body)
        answer = staff.generic(method, path, data, content_type="application/json")
        return Answer(answer.status_code, answer.json() if answer.content else None)

    return send


def send_bytes(client: APIClient, path: str, body: bytes, *, content_type: str) -> Any:
    """POST bytes as they are; the client's types know text only."""
    return client.generic("POST", path, cast("str", body), content_type=content_type)


@pytest.fixture
def project() -> FcmProject:
    return make_project(project_id="shop-app")
