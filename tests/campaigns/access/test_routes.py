"""Every route, and who gets in: a route that is not in the table below fails the first test.

Ids name nothing and bodies are empty, so whoever is let in gets the status that stands in the
table (404, 400), changes nothing, and the next may try.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from django.contrib.admindocs.views import simplify_regex
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.views import SpectacularAPIView
from rest_framework.test import APIClient

from campaigns.access.scopes import Scope
from tests.campaigns.access.cast import make_key, person, program

pytestmark = pytest.mark.django_db


class Rule(NamedTuple):
    """What a route asks for, and what it answers to whoever is let in."""

    scope: str
    status: int


SEES, WRITES, SENDS = "campaigns:read", "campaigns:write", "campaigns:send"
LOOKS_UP, REGISTERS, ADMIN, ANY = "devices:read", "devices:write", "admin", "any"

TABLE = {
    "GET /api/api-keys/": Rule(ADMIN, 200),
    "POST /api/api-keys/": Rule(ADMIN, 400),
    "GET /api/api-keys/<pk>/": Rule(ADMIN, 404),
    "POST /api/api-keys/<pk>/revoke/": Rule(ADMIN, 404),
    "POST /api/api-keys/<pk>/rotate/": Rule(ADMIN, 404),
    "GET /api/audit-log/": Rule(ADMIN, 200),
    "GET /api/campaigns/": Rule(SEES, 200),
    "POST /api/campaigns/": Rule(WRITES, 400),
    "DELETE /api/campaigns/<pk>/": Rule(WRITES, 404),
    "GET /api/campaigns/<pk>/": Rule(SEES, 404),
    "PATCH /api/campaigns/<pk>/": Rule(WRITES, 404),
    "PUT /api/campaigns/<pk>/": Rule(WRITES, 400),
    "POST /api/campaigns/<pk>/cancel/": Rule(SENDS, 404),
    "GET /api/campaigns/<pk>/deliveries/": Rule(SEES, 404),
    "GET /api/campaigns/<pk>/deliveries/export/": Rule(SEES, 404),
    "POST /api/campaigns/<pk>/duplicate/": Rule(WRITES, 404),
    "POST /api/campaigns/<pk>/pause/": Rule(SENDS, 404),
    "GET /api/campaigns/<pk>/estimate/": Rule(SEES, 404),
    "GET /api/campaigns/<pk>/preview/": Rule(SEES, 404),
    "POST /api/campaigns/<pk>/resume/": Rule(SENDS, 404),
    "POST /api/campaigns/<pk>/retry-failed/": Rule(SENDS, 404),
    "POST /api/campaigns/<pk>/schedule/": Rule(SENDS, 400),
    "POST /api/campaigns/<pk>/send/": Rule(SENDS, 404),
    "POST /api/campaigns/<pk>/set-rate/": Rule(SENDS, 400),
    "GET /api/campaigns/<pk>/stats/": Rule(SEES, 404),
    "POST /api/campaigns/<pk>/test/": Rule(SENDS, 404),
    "POST /api/campaigns/<pk>/unschedule/": Rule(SENDS, 404),
    "GET /api/campaigns/active/": Rule(SEES, 200),
    "GET /api/devices/": Rule(LOOKS_UP, 200),
    "POST /api/devices/": Rule(REGISTERS, 400),
    "DELETE /api/devices/<pk>/": Rule(REGISTERS, 404),
    "GET /api/devices/<pk>/": Rule(LOOKS_UP, 404),
    "PATCH /api/devices/<pk>/": Rule(REGISTERS, 404),
    "POST /api/devices/bulk/": Rule(REGISTERS, 400),
    "GET /api/devices/imports/": Rule(LOOKS_UP, 200),
    "POST /api/devices/imports/": Rule(REGISTERS, 415),
    "GET /api/devices/imports/<pk>/": Rule(LOOKS_UP, 404),
    "GET /api/devices/imports/<pk>/rejects/": Rule(LOOKS_UP, 404),
    "GET /api/docs/": Rule(ANY, 200),
    "GET /api/notification-channels/": Rule(ADMIN, 200),
    "POST /api/notification-channels/": Rule(ADMIN, 400),
    "DELETE /api/notification-channels/<pk>/": Rule(ADMIN, 404),
    "GET /api/notification-channels/<pk>/": Rule(ADMIN, 404),
    "PATCH /api/notification-channels/<pk>/": Rule(ADMIN, 404),
    "GET /api/notification-channels/<pk>/deliveries/": Rule(ADMIN, 404),
    "POST /api/notification-channels/<pk>/deliveries/<delivery_id>/replay/": Rule(ADMIN, 404),
    "POST /api/notification-channels/<pk>/renew-secret/": Rule(ADMIN, 404),
    "POST /api/notification-channels/<pk>/test/": Rule(ADMIN, 404),
    "GET /api/schedules/": Rule(SEES, 200),
    "POST /api/schedules/": Rule(SENDS, 400),
    "DELETE /api/schedules/<pk>/": Rule(SENDS, 404),
    "GET /api/schedules/<pk>/": Rule(SEES, 404),
    "PATCH /api/schedules/<pk>/": Rule(SENDS, 404),
    "POST /api/schedules/<pk>/pause/": Rule(SENDS, 404),
    "POST /api/schedules/<pk>/resume/": Rule(SENDS, 404),
    "GET /api/schedules/<pk>/runs/": Rule(SEES, 404),
    "GET /api/schedules/<pk>/upcoming/": Rule(SEES, 404),
    "POST /api/schedules/preview/": Rule(SEES, 400),
    "GET /api/schema/": Rule(ANY, 200),
    "GET /api/segments/": Rule(LOOKS_UP, 200),
    "POST /api/segments/": Rule(REGISTERS, 400),
    "DELETE /api/segments/<pk>/": Rule(REGISTERS, 404),
    "GET /api/segments/<pk>/": Rule(LOOKS_UP, 404),
    "PATCH /api/segments/<pk>/": Rule(REGISTERS, 404),
    "GET /api/segments/<pk>/estimate/": Rule(LOOKS_UP, 404),
    "POST /api/segments/<pk>/refresh/": Rule(REGISTERS, 404),
    "GET /api/segments/<pk>/sample/": Rule(LOOKS_UP, 404),
    "POST /api/segments/estimate/": Rule(LOOKS_UP, 400),
    "POST /api/segments/sample/": Rule(LOOKS_UP, 400),
    "GET /api/user-lists/": Rule(LOOKS_UP, 200),
    "POST /api/user-lists/": Rule(REGISTERS, 400),
    "DELETE /api/user-lists/<pk>/": Rule(REGISTERS, 404),
    "GET /api/user-lists/<pk>/": Rule(LOOKS_UP, 404),
    "GET /api/user-lists/<pk>/rejects/": Rule(LOOKS_UP, 404),
    "GET /metrics": Rule(SEES, 200),
}

OPEN = {
    "/",  # leads to the description of the API
    "/login/",
    "/logout/",
    "/healthz",  # load balancers have no keys
    "/readyz",
    "/unsubscribe/<token>/",  # whoever has the link; it is signed
}
"""Routes that ask nobody who they are."""

FOR_BROWSERS = {"GET /api/docs/"}
"""Routes that lead strangers to the login."""

ROLES = {
    SEES: {"viewer", "editor", "sender", "admin"},
    WRITES: {"editor", "admin"},
    SENDS: {"sender", "admin"},
    LOOKS_UP: {"viewer", "editor", "sender", "admin"},
    REGISTERS: {"editor", "admin"},
    ADMIN: {"admin"},
    ANY: {"viewer", "editor", "sender", "admin"},
}
METHODS = ("get", "post", "put", "patch", "delete")


def addresses() -> Iterator[tuple[str, Any]]:
    """Return every address of the server with its view, those of the admin site left out."""

    def walk(patterns: list[Any], prefix: str) -> Iterator[tuple[str, Any]]:
        for one in patterns:
            if isinstance(one, URLResolver) and one.app_name != "admin":
                yield from walk(one.url_patterns, prefix + str(one.pattern))
            elif isinstance(one, URLPattern):
                route = re.sub(r"<\w+:(\w+)>", r"<\1>", str(one.pattern))
                yield simplify_regex(prefix + route), one.callback

    yield from walk(get_resolver().url_patterns, "")


def methods_of(view: Any) -> set[str]:
    if hasattr(view, "actions"):
        return set(view.actions)
    if not hasattr(view, "view_class"):
        return {"get"}  # a plain function, which asks nobody who they are
    return {method for method in METHODS if hasattr(view.view_class, method)}


def guarded_routes() -> set[str]:
    return {
        f"{method.upper()} {address}"
        for address, view in addresses()
        if address not in OPEN
        for method in methods_of(view) & set(METHODS)
    }


def test_every_route_stands_in_the_table() -> None:
    assert guarded_routes() == set(TABLE), "Add new routes to TABLE, with the scope they ask for."


def test_what_is_open_is_there() -> None:
    assert {address for address, _ in addresses()} >= OPEN


def callers(scope: str) -> dict[str, APIClient]:
    """Return everybody who might try."""
    others: list[Scope] = [one for one in Scope if one not in {scope, Scope.ADMIN}]
    keys: dict[str, list[Scope]] = {
        "key without the scope": [] if scope == ANY else others,
        "key with just the scope": [Scope.DEVICES_WRITE if scope == ANY else Scope(scope)],
        "key for everything": [Scope.ADMIN],
    }
    return {
        "nobody": APIClient(),
        "account without a role": person(),
        **{role: person(role) for role in ("viewer", "editor", "sender", "admin")},
        **{name: program(make_key(*scopes)[1]) for name, scopes in keys.items() if scopes},
    }


def expected(caller: str, rule: Rule) -> int:
    if caller == "nobody":
        return 401
    let_in = {*ROLES[rule.scope], "key with just the scope", "key for everything"}
    return rule.status if caller in let_in else 403


class NoSchema:
    """Stands in for what makes the schema, which takes seconds and has tests of its own."""

    def __init__(self, **_: object) -> None: ...

    def get_schema(self, **_: object) -> dict[str, object]:
        return {}


@pytest.mark.parametrize("route", sorted(TABLE))
def test_a_route_lets_in_whom_it_should(route: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SpectacularAPIView, "generator_class", NoSchema)
    rule = TABLE[route]
    statuses = {name: ask(client, route) for name, client in callers(rule.scope).items()}
    wanted = {name: expected(name, rule) for name in statuses}
    if route in FOR_BROWSERS:
        wanted["nobody"] = 302
    assert statuses == wanted


def ask(client: APIClient, route: str) -> int:
    method, _, address = route.partition(" ")
    path = re.sub(r"<\w+>", "4711", address)
    return client.generic(method, path, "{}", content_type="application/json").status_code


def test_whoever_is_refused_costs_no_more_than_being_recognised() -> None:
    stranger, outsider = APIClient(), person()
    for route in TABLE:
        for client, most in ((stranger, 0), (outsider, 3)):  # session, user, roles
            with CaptureQueriesContext(connection) as queries:
                ask(client, route)
            assert len(queries) == most, route


def test_a_role_does_not_open_the_admin_site() -> None:
    assert APIClient().get("/admin/").status_code == 302
    assert person("admin").get("/admin/").status_code == 302
