"""Whatever a request looks like, its answer is no fault of ours.

Each route is given the next few of the odd things below, so that all of them come by.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import cycle, islice, product
from typing import Any, Final, NamedTuple

import pytest
from django.contrib.auth.models import User
from drf_spectacular.generators import SchemaGenerator
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.answers import error_in
from tests.cast import make_campaign, make_devices, make_project

pytestmark = pytest.mark.django_db

_QUERY: Final = [
    *(
        "%00",
        "a%00b",
        "%FF%FE",
        "%ED%A0%80",
        "%F0%9F%92%A5",
        "%E2%80%AE",
        "%u0041",
        "%",
        "",
        "null",
    ),
    *("-1", "0", "9" * 400, f"-{'9' * 30}", "1e400", "NaN", "%D9%A1", "1_000", "0x10", "+1", "1.5"),
    *("true", "[]", "{}", "a" * 10_000, "a,b,,c", "1,1", "';DROP TABLE x;--", "__class__", "25:99"),
    *("2026-02-30", "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00", "2026", "T"),
]
_PLACES: Final = ["9" * 400, "9" * 18, "-1", "%00", "%FF", "abc", "%D9%A1", "1.5"]
_CONTENT_TYPES: Final = [
    *("application/json; charset=none", "application/x-www-form-urlencoded", ";;;", ""),
    *("multipart/form-data", "multipart/form-data; boundary=\0", "a" * 5_000, "text/plain"),
]
_HEADERS: Final = [
    *({"Accept": one} for one in ("text/html", "*/*;q=x", ";", "application/json; charset=zlib")),
    *({"If-None-Match": '"\xff, W/"'}, {"If-Match": '"\xff, W/"'}, {"Accept": "\xff"}),
    *({"Idempotency-Key": one} for one in ("\xff", "", "a" * 10_000, "a\0")),
    *({"Range": "bytes=-1"}, {"X-Request-ID": "\xff\0"}, {"X-Forwarded-For": "\xff,,"}),
    *({"Cookie": "sessionid=\xff; csrftoken=\0"}, {"Content-Language": "\xff"}, {"Host": "\xff"}),
]
_BODIES: Final = [
    *(b"", b"\0", b"\xff\xfe{}", b"\xef\xbb\xbf{}", b"{", b"nul", b"null", b"true", b"1", b'"a"'),
    *(b"[]", b"[[]]", b"{}", b'{"a": NaN}', b'{"a": 1e400}', b'{"\\ud800": 1}', b'{"a\\u0000": 1}'),
    *(b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 50_000, b"9" * 10_000, b"-" + b"9" * 5_000),
]
_VALUES: Final[list[Any]] = [
    *(None, True, 0, -1, 2**63, 2**64, 10**400, -(10**400), 0.5, 1e308, "", " ", "\0", "a\0b"),
    *("\ud800", "\u202e\U0001f4a5", "x" * 100_000, "-1", "9" * 400, "NaN", [], [[]], [None], [0]),
    *(["\ud800"], ["\0"], [1e308], {}, {"": ""}, {"\0": "\0"}, {"\ud800": 1}, {"field": None}),
    *({"and": []}, {"a": {"b": {"c": []}}}, "2026-02-30", "0001-01-01T00:00:00+14:00"),
    "9999-12-31T23:59:59-14:00",
]
_FINE: Final[Mapping[str, Any]] = {
    "title": "a",
    "message": "b",
    "target_all": True,
    "user_id": "u",
    "address": "a:b",
    "platform": "ios",
    "name": "n",
    "kind": "dynamic",
    "rules": {"field": "country", "op": "eq", "value": "BR"},
}


class Route(NamedTuple):
    method: str
    address: str
    parameters: list[str]
    """Of the query."""
    bodies: list[str]
    """The content types that it takes."""
    fields: list[str]
    """Of its JSON."""
    takes_many: bool
    """Its JSON is an array of those."""


def routes() -> Iterator[Route]:
    generator: Any = SchemaGenerator
    description = generator().get_schema(request=None, public=True)
    schemas = description["components"]["schemas"]
    for address, item in description["paths"].items():
        for method, operation in item.items():
            content = operation.get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema", {})
            named = schema.get("items", schema).get("$ref", "").rpartition("/")[2]
            yield Route(
                method.upper(),
                address,
                [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"],
                list(content),
                list(schemas[named].get("properties", {})) if named else [],
                "items" in schema,
            )


Asked = tuple[str, str, dict[str, Any]]
"""Method, address, and the rest of what the test client takes."""


def odd_requests(pk: int) -> Iterator[Asked]:
    queries, bodies, values = cycle(_QUERY), cycle(_BODIES), cycle(_VALUES)
    places, types, headers = cycle(_PLACES), cycle(_CONTENT_TYPES), cycle(_HEADERS)
    for route in routes():
        method, address = route.method, route.address.replace("{id}", str(pk))
        for name, odd in product(route.parameters, islice(queries, 6)):
            yield method, address, {"QUERY_STRING": f"{name}={odd}"}
        for odd in islice(places, 2):
            yield method, route.address.replace("{id}", odd), {}
        for odd in islice(types, 4):
            rest = {"content_type": odd, "data": "{}", "QUERY_STRING": "name=a&%FF=%FF"}
            yield method, address, rest
        for odd_header in islice(headers, 4):
            yield method, address, {"headers": odd_header}
        for content_type, odd_body in product(route.bodies, islice(bodies, 6)):
            yield method, address, {"data": odd_body, "content_type": content_type}
        for name, value in product(route.fields, islice(values, 6)):
            body = _body(route, name, value)
            yield method, address, {"data": body, "content_type": "application/json"}


def _body(route: Route, name: str, value: object) -> str:
    fine = {one: _FINE[one] for one in route.fields if one in _FINE}
    row = fine | {name: value}
    return json.dumps([row] if route.takes_many else row)


@pytest.fixture
def client(settings: Settings, staff_user: User, tmp_path: Any) -> APIClient:
    """Somebody who may do everything; nothing leaves the machine."""
    settings.API_UNITS_PER_MINUTE = 0
    settings.FCM_ENDPOINT = "https://127.0.0.1:1"
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    settings.IMPORT_FOLDER = str(tmp_path)
    client = APIClient(raise_request_exception=False)
    client.force_authenticate(staff_user)
    return client


def test_no_odd_request_makes_the_server_fail(client: APIClient) -> None:
    make_devices(make_project(), 2)
    faults, tried = [], 0
    for method, address, rest in odd_requests(make_campaign().pk):
        answer: Any = client.generic(method, address, **rest)
        if answer.streaming:
            b"".join(answer.streaming_content)
        tried += 1
        if answer.status_code >= 500:
            faults.append(f"{answer.status_code} {method} {address[:80]} {str(rest)[:200]}")
    assert not faults
    assert tried > 1_500


def test_too_many_parameters_are_refused(client: APIClient) -> None:
    answer = client.get("/api/campaigns/?" + "a&" * 2_000)
    assert answer.status_code == 400
    assert error_in(answer.json()) == (
        "parse_error",
        "The query has more parameters than are taken.",
    )
