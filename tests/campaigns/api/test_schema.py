"""The OpenAPI description: whole, true to its own examples, and shown without a foreign server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from rest_framework.test import APIClient

Body = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    generator: Any = SchemaGenerator
    return dict(generator().get_schema(request=None, public=True))


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def json_bodies(schema: dict[str, Any]) -> Iterator[Body]:
    for name, operation in operations(schema):
        parts = {"request": operation.get("requestBody", {}), **operation["responses"]}
        for part, value in parts.items():
            if "application/json" in value.get("content", {}):
                yield f"{name} {part}", value["content"]["application/json"]


def test_it_is_valid_and_nothing_in_it_is_a_guess(tmp_path: Path) -> None:
    call_command("spectacular", file=str(tmp_path / "x"), validate=True, fail_on_warn=True)


def test_it_is_openapi_3_1(schema: dict[str, Any]) -> None:
    assert schema["openapi"].startswith("3.1.")


def test_every_json_body_has_an_example(schema: dict[str, Any]) -> None:
    """Mend it in `campaigns/api/examples/`, by the name of the component."""
    assert [name for name, body in json_bodies(schema) if not body.get("examples")] == []


def test_every_example_is_what_its_schema_says(schema: dict[str, Any]) -> None:
    wrong = {
        f"{name}: {error.message}"
        for name, body in json_bodies(schema)
        for example in body["examples"].values()
        for error in Draft202012Validator(
            {**body["schema"], "components": schema["components"]}
        ).iter_errors(example["value"])
    }
    assert wrong == set()


def test_every_route_says_how_to_get_in_and_what_is_answered_to_whom_may_not(
    schema: dict[str, Any],
) -> None:
    for name, operation in operations(schema):
        assert operation["security"] == [{"apiKey": []}, {"cookieAuth": []}], name
        assert {"400", "401", "403", "429", "500"} <= operation["responses"].keys(), name


def test_the_schemes_say_what_is_sent(schema: dict[str, Any]) -> None:
    schemes = schema["components"]["securitySchemes"]
    assert (schemes["apiKey"]["in"], schemes["apiKey"]["name"]) == ("header", "Authorization")
    assert (schemes["cookieAuth"]["in"], schemes["cookieAuth"]["name"]) == ("cookie", "sessionid")


def test_what_creates_or_sends_takes_an_idempotency_key(schema: dict[str, Any]) -> None:
    taking = {
        name
        for name, operation in operations(schema)
        if "Idempotency-Key" in {one["name"] for one in operation.get("parameters", [])}
    }
    campaign = "POST /api/campaigns/{id}"
    assert taking >= {
        "POST /api/campaigns/",
        f"{campaign}/duplicate/",
        f"{campaign}/send/",
        f"{campaign}/schedule/",
        f"{campaign}/resume/",
        f"{campaign}/retry-failed/",
        f"{campaign}/test/",
    }


@pytest.mark.parametrize("thing", ["campaigns", "devices", "segments", "schedules"])
def test_what_can_be_changed_can_be_matched(schema: dict[str, Any], thing: str) -> None:
    path = schema["paths"][f"/api/{thing}/{{id}}/"]
    for method, header in [("get", "If-None-Match"), ("patch", "If-Match"), ("delete", "If-Match")]:
        assert header in {one["name"] for one in path[method]["parameters"]}, method


@pytest.mark.django_db
def test_the_page_needs_no_foreign_server(staff: APIClient) -> None:
    answer = staff.get("/api/docs/", headers={"Accept": "text/html"})
    page = answer.content.decode()
    assert answer.status_code == 200
    assert re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", page) == []
    files = re.findall(r'(?:src|href)="/static/([^"]+)"', page)
    assert len(files) >= 3
    assert [file for file in files if finders.find(file) is None] == []


@pytest.mark.django_db
def test_neither_page_nor_description_is_for_strangers(
    anonymous: APIClient, outsider: APIClient
) -> None:
    to_the_login = anonymous.get("/api/docs/")
    assert (to_the_login.status_code, to_the_login["Location"]) == (302, "/login/?next=/api/docs/")
    assert anonymous.get("/api/schema/").status_code == 401
    for path in ("/api/docs/", "/api/schema/"):
        assert outsider.get(path).status_code == 403


@pytest.mark.django_db
def test_a_person_without_a_role_is_told_how_to_come_by_one(client: Client) -> None:
    client.force_login(get_user_model().objects.create_user("ann"))
    answer = client.get("/api/docs/", headers={"Accept": "text/html"})
    assert (answer.status_code, answer["Content-Type"]) == (403, "text/html; charset=utf-8")
    page = " ".join(answer.content.decode().split())
    assert "You are logged in as ann" in page
    assert "Ask an administrator for one of the roles viewer, editor, sender, admin" in page


def test_the_front_door_leads_to_the_description(anonymous: APIClient) -> None:
    answer = anonymous.get("/")
    assert (answer.status_code, answer["Location"]) == (302, "/api/docs/")


def test_every_operation_says_what_it_does_and_which_scope_it_takes(schema: dict[str, Any]) -> None:
    every = dict(operations(schema))
    assert [name for name, operation in every.items() if not operation.get("summary")] == []
    assert [name for name, one in every.items() if "\n\nScope: `" not in one["description"]] == []
    sending = every["POST /api/campaigns/{id}/send/"]
    assert sending["summary"].startswith("Launch the campaign")
    assert sending["description"].endswith("Scope: `campaigns:send`.")


def test_what_people_come_for_stands_first(schema: dict[str, Any]) -> None:
    used = {tag for _, operation in operations(schema) for tag in operation["tags"]}
    described = [tag["name"] for tag in schema["tags"]]
    assert (described[0], set(described)) == ("campaigns", used)
