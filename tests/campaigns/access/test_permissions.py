from __future__ import annotations

from typing import ClassVar

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.test import override_settings
from django.urls import include, path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.test import APIClient
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from campaigns.access.roles import scopes_of_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_urls")]


class Things(ViewSet):
    required_scopes: ClassVar[dict[str, str]] = {"list": "campaigns:read"}

    def list(self, request: Request) -> Response:
        return Response("listed")

    def create(self, request: Request) -> Response:
        return Response("created")


class Plain(APIView):
    required_scopes: ClassVar[dict[str, str]] = {"get": "campaigns:read"}

    def get(self, request: Request) -> Response:
        return Response("got")

    def post(self, request: Request) -> Response:
        return Response("posted")


class Undeclared(APIView):
    def get(self, request: Request) -> Response:
        return Response("got")


_router = SimpleRouter()
_router.register("things", Things, basename="thing")
urlpatterns = [
    path("", include(_router.urls)),
    path("plain/", Plain.as_view()),
    path("undeclared/", Undeclared.as_view()),
]


@pytest.fixture
def _urls() -> object:
    with override_settings(ROOT_URLCONF=__name__):
        yield


def client_of(*roles: str, **fields: bool) -> APIClient:
    user = User.objects.create(username="-".join(roles) or "nobody", **fields)
    user.groups.set(Group.objects.filter(name__in=roles))
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.mark.parametrize("address", ["/things/", "/plain/"])
def test_the_scope_that_a_view_asks_for_opens_it(address: str) -> None:
    assert client_of("viewer").get(address).status_code == 200


@pytest.mark.parametrize("address", ["/things/", "/plain/"])
def test_an_account_without_a_role_is_refused(address: str) -> None:
    assert client_of().get(address).status_code == 403


@pytest.mark.parametrize("address", ["/things/", "/plain/"])
def test_whoever_is_refused_learns_which_scope_it_takes(address: str) -> None:
    answer = client_of().get(address)
    assert answer.json()["errors"][0]["detail"] == "It takes the scope `campaigns:read`."


@pytest.mark.parametrize("address", ["/things/", "/plain/", "/undeclared/"])
def test_nobody_gets_in_unknown(address: str) -> None:
    assert APIClient().get(address).status_code == 401


def test_what_declares_no_scope_is_closed_to_everybody() -> None:
    client = client_of("admin", is_superuser=True, is_staff=True)
    assert client.get("/undeclared/").status_code == 403
    assert client.post("/things/").status_code == 403
    assert client.post("/plain/").status_code == 403


@pytest.mark.parametrize("address", ["/things/", "/plain/"])
def test_what_is_not_there_is_not_forbidden_but_unknown(address: str) -> None:
    client = client_of("viewer")
    assert client.put(address).status_code == 405
    assert client.options(address).status_code == 405


def test_head_asks_for_what_get_asks_for() -> None:
    viewer, outsider = client_of("viewer"), client_of()
    assert (viewer.head("/things/").status_code, outsider.head("/things/").status_code) == (
        200,
        403,
    )


READING = {"campaigns:read", "devices:read"}
WRITING = {"campaigns:write", "devices:write"}
ALL = READING | WRITING | {"campaigns:send", "admin"}


@pytest.mark.parametrize(
    ("roles", "scopes"),
    [
        ([], set()),
        (["viewer"], READING),
        (["editor"], READING | WRITING),
        (["sender"], READING | {"campaigns:send"}),
        (["editor", "sender"], ALL - {"admin"}),
        (["admin"], ALL),
    ],
)
def test_roles_add_up(roles: list[str], scopes: set[str]) -> None:
    user = User.objects.create_user("ann")
    user.groups.set(Group.objects.filter(name__in=[*roles, "no role of ours"]))
    assert scopes_of_user(user) == scopes


def test_a_superuser_may_do_everything_and_staff_as_such_nothing() -> None:
    assert scopes_of_user(User(username="root", is_superuser=True)) == ALL
    assert scopes_of_user(User.objects.create_user("staff", is_staff=True)) == set()


def test_whoever_has_left_may_do_nothing() -> None:
    assert scopes_of_user(User(username="left", is_superuser=True, is_active=False)) == set()
    assert scopes_of_user(AnonymousUser()) == set()
