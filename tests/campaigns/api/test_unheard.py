"""Nothing that a caller says is dropped in silence: what would not be heard is refused by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from campaigns.api.filters import ORDERINGS
from campaigns.notifications.models import Event
from tests.answers import complaints_in, error_in
from tests.campaigns.notifications.stage import mail_channel
from tests.campaigns.schedules.cast import make_schedule
from tests.cast import make_campaign, make_devices, make_project

pytestmark = pytest.mark.django_db


class Described(NamedTuple):
    """What the description says of a route."""

    method: str
    path: str
    parameters: list[str]
    """Of the query."""
    takes_body: bool


def described() -> Iterator[Described]:
    generator: Any = SchemaGenerator
    paths = generator().get_schema(request=None, public=True)["paths"]
    for path, operations in paths.items():
        address = re.sub(r"\{\w+\}", "7", path)
        for method, operation in operations.items():
            given = operation.get("parameters", [])
            names = sorted(one["name"] for one in given if one["in"] == "query")
            yield Described(method, address, names, "requestBody" in operation)


def test_every_route_refuses_an_unknown_parameter_and_names_those_of_its_description(
    staff: APIClient,
) -> None:
    answered, expected = {}, {}
    for method, path, known, _ in described():
        name = f"{method} {path}"
        answer: Any = getattr(staff, method)(f"{path}?stauts=draft", {}, format="json")
        answered[name] = answer.status_code, answer.json()["errors"]
        more = f"; those known here: {', '.join(known)}." if known else ": this call takes none."
        detail = f"There is no such parameter{more}"
        expected[name] = 400, [{"code": "unknown", "detail": detail, "attr": "stauts"}]
    assert answered == expected
    assert len(answered) > 60


def test_every_action_without_a_body_refuses_one(staff: APIClient) -> None:
    answered = {}
    for method, path, _, takes_body in described():
        if method == "post" and not takes_body:
            answer: Any = staff.post(path, {"user_ids": ["me"]}, format="json")
            errors = [(one["code"], one["attr"]) for one in answer.json()["errors"]]
            answered[path] = answer.status_code, errors
    assert answered == dict.fromkeys(answered, (400, [("unknown", "user_ids")]))
    assert len(answered) > 10


def test_a_stranger_hears_nothing_of_parameters(anonymous: APIClient, outsider: APIClient) -> None:
    path = "/api/campaigns/?stauts=draft"
    assert [one.get(path).status_code for one in (anonymous, outsider)] == [401, 403]


def test_an_action_with_an_unknown_parameter_is_not_done(staff: APIClient) -> None:
    make_devices(make_project(), 1)
    campaign = make_campaign()
    answer = staff.post(f"/api/campaigns/{campaign.pk}/send/?dry_run=true")
    campaign.refresh_from_db()
    assert (answer.status_code, campaign.status) == (400, "draft")


@pytest.mark.parametrize("path", ["campaigns", "devices", "schedules", "notification-channels"])
def test_no_format_is_taken_from_the_query(staff: APIClient, path: str) -> None:
    answer = staff.get(f"/api/{path}/?format=xml")
    assert (answer.status_code, list(complaints_in(answer.json()))) == (400, ["format"])


def test_a_parameter_of_one_value_is_not_given_twice(staff: APIClient) -> None:
    """The last would win: whoever asks for Germany and Austria would see Austria only."""
    answer = staff.get("/api/devices/?country=DE&country=AT")
    assert answer.status_code == 400
    assert complaints_in(answer.json()) == {"country": ["It may be given once only."]}


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("campaigns/", 200),
        ("schedules/", 200),
        ("notification-channels/", 200),
        ("devices/", 1_000),
        ("devices/imports/", 1_000),
        ("segments/", 1_000),
        ("user-lists/", 1_000),
        ("api-keys/", 1_000),
        ("audit-log/", 1_000),
        ("campaigns/{campaign}/deliveries/", 1_000),
    ],
)
def test_a_page_size_that_is_none_is_refused(staff: APIClient, path: str, most: int) -> None:
    address = "/api/" + path.format(campaign=make_campaign().pk)
    refused = {}
    for size in ("abc", "0", "-1", "1.5", str(most + 1)):
        answer = staff.get(address, {"page_size": size})
        assert answer.status_code == 400, size
        refused[size] = complaints_in(answer.json())
    low = "Ensure this value is greater than or equal to 1."
    assert refused == {
        "abc": {"page_size": ["A valid integer is required."]},
        "1.5": {"page_size": ["A valid integer is required."]},
        "0": {"page_size": [low]},
        "-1": {"page_size": [low]},
        str(most + 1): {"page_size": [f"Ensure this value is less than or equal to {most}."]},
    }
    assert staff.get(address, {"page_size": most}).status_code == 200


@pytest.mark.parametrize(
    ("address", "name", "words"),
    [
        ("campaigns/", "priority", "Must be one of high, normal, low."),
        (
            "campaigns/",
            "ordering",
            f"Must be of {', '.join(ORDERINGS)}, with or without -.",
        ),
        ("devices/", "platform", "Must be one of android, ios, web."),
        (
            "notification-channels/{channel}/deliveries/",
            "state",
            "Must be one of pending, delivered, failed, skipped.",
        ),
        (
            "schedules/{schedule}/runs/",
            "outcome",
            "Must be one of started, skipped, missed, refused.",
        ),
        ("audit-log/", "action", "Must be one of create, update, delete."),
        (
            "campaigns/{campaign}/deliveries/",
            "status",
            "Must be one of pending, success, invalid, failed, unknown, skipped.",
        ),
    ],
)
def test_a_word_that_is_none_of_a_few_is_answered_with_those(
    staff: APIClient, address: str, name: str, words: str
) -> None:
    rows = {
        "campaign": make_campaign().pk,
        "channel": mail_channel().pk,
        "schedule": make_schedule().pk,
    }
    answer = staff.get("/api/" + address.format(**rows), {name: "lost"})
    assert (answer.status_code, error_in(answer.json())) == (400, ("invalid_choice", words))
    assert list(complaints_in(answer.json())) == [name]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("kind", "sms", "Must be one of email, chat, webhook."),
        ("events", ["campaign.done"], f"Must be one of {', '.join(Event.values)}."),
    ],
)
def test_a_channel_of_no_known_kind_or_event_is_answered_with_those(
    staff: APIClient, field: str, value: object, words: str
) -> None:
    body = {"name": "me", "kind": "email", "target": "ann@example.com", field: value}
    answer = staff.post("/api/notification-channels/", body, format="json")
    assert (answer.status_code, error_in(answer.json())) == (400, ("invalid_choice", words))


@pytest.mark.parametrize("page", ["0", "-1", "x", "last"])
def test_a_page_number_that_is_none_is_refused(staff: APIClient, page: str) -> None:
    answer = staff.get("/api/campaigns/", {"page": page})
    assert (answer.status_code, list(complaints_in(answer.json()))) == (400, ["page"])


@pytest.mark.parametrize("cursor", ["x", "%%%", "bm9uZQ==", "cD14"])
def test_a_cursor_that_is_none_of_ours_is_refused(staff: APIClient, cursor: str) -> None:
    make_devices(make_project(), 1)
    answer = staff.get("/api/devices/", {"cursor": cursor})
    assert answer.status_code == 400, answer.json()
    words = "It is none of ours: follow `next` and `previous` as they are given."
    assert complaints_in(answer.json()) == {"cursor": [words]}
