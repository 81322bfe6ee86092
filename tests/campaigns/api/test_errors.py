"""One shape for every error, whoever finds it; and the request's id in all of them."""

from __future__ import annotations

import logging
import socket
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
from celery import current_app
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from campaigns import services
from campaigns.models import PushCampaign
from tests.answers import complaints_in, error_in
from tests.cast import make_campaign

pytestmark = pytest.mark.django_db
REQUEST_ID = "0f8fad5bd9cb469fa16570867728950e"


def check_shape(answer: Any, status: int, code: str) -> None:
    """See that it is JSON of the one shape, with the id that the header has."""
    body = answer.json()
    kind = "server_error" if status >= 500 else "client_error"
    assert (answer.status_code, error_in(body)[0], body["type"]) == (status, code, kind)
    assert list(body) == ["type", "errors", "request_id"]
    assert body["request_id"] == answer["X-Request-ID"]


def post(client: APIClient, body: bytes | str, content_type: str = "application/json") -> Any:
    return client.generic("POST", "/api/campaigns/", body, content_type=content_type)  # type: ignore[arg-type]


def test_an_address_that_is_none_is_answered_in_json(staff: APIClient) -> None:
    check_shape(staff.get("/api/nothing/"), 404, "not_found")
    assert staff.get("/nothing/")["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("campaigns/4711/", "There is no such campaign."),
        ("devices/4711/", "There is no such device."),
        ("devices/imports/4711/", "There is no such device import."),
        ("segments/4711/", "There is no such segment."),
        ("user-lists/4711/", "There is no such user list."),
        ("notification-channels/4711/", "There is no such notification channel."),
    ],
)
def test_what_is_not_there_is_called_by_the_name_that_users_know(
    staff: APIClient, path: str, words: str
) -> None:
    assert error_in(staff.get(f"/api/{path}").json()) == ("not_found", words)


def test_a_forgotten_slash_keeps_the_method_and_the_body(staff: APIClient) -> None:
    answer = staff.post("/api/campaigns?a=b", {"title": "Sale"}, format="json")
    assert (answer.status_code, answer["Location"]) == (308, "/api/campaigns/?a=b")


def test_a_body_in_chunks_is_not_taken_for_an_empty_one(staff: APIClient) -> None:
    campaign = make_campaign()
    for path in ("campaigns/", f"campaigns/{campaign.pk}/send/", "devices/imports/"):
        answer = staff.post(f"/api/{path}", headers={"Transfer-Encoding": "chunked"})
        check_shape(answer, 411, "length_required")
    campaign.refresh_from_db()
    assert (campaign.status, PushCampaign.objects.count()) == ("draft", 1)


def test_a_foreign_host_is_answered_in_json(staff: APIClient) -> None:
    check_shape(staff.get("/api/campaigns/", headers={"Host": "evil.example"}), 400, "bad_request")


def test_what_nobody_foresaw_is_answered_in_json_and_tells_nothing(
    staff: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        message = "a secret"
        raise RuntimeError(message)

    monkeypatch.setattr(services, "pause_campaign", fail)
    staff.raise_request_exception = False
    answer = staff.post("/api/campaigns/7/pause/")
    check_shape(answer, 500, "error")
    assert b"secret" not in answer.content


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        b'{"title": "\xe4"}',
        "{" * 100_000,
        "[" * 33 + "]" * 33,
        "[" * 900 + "]" * 900,
        '{"a":' * 100_000 + "1" + "}" * 100_000,
        '{"title": 1' + "0" * 5_000 + "}",
        '{"title": Infinity}',
    ],
    ids=["UTF-16", "Latin-1", "cut off", "33 deep", "900 deep", "100,000 deep", "huge", "Infinity"],
)
def test_a_body_that_cannot_be_read_is_refused(staff: APIClient, body: bytes | str) -> None:
    check_shape(post(staff, body), 400, "parse_error")


@pytest.mark.parametrize("charset", ["zlib", "utf-16", "base64", "latin-1", "none-such"])
def test_a_body_is_utf_8_whatever_its_header_claims(staff: APIClient, charset: str) -> None:
    body = '{"title": "Ofertă", "message": "x", "target_all": true}'.encode()
    answer = post(staff, body, f"application/json; charset={charset}")
    assert (answer.status_code, answer.json().get("title")) == (201, "Ofertă")


def test_another_media_type_is_refused(staff: APIClient) -> None:
    check_shape(
        post(staff, "--x", "multipart/form-data; boundary=y"), 415, "unsupported_media_type"
    )


def test_a_body_beyond_the_limit_is_413(staff: APIClient, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    check_shape(post(staff, '{"title": "' + "x" * 100 + '"}'), 413, "too_large")
    assert not PushCampaign.objects.exists()


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("search=%00", "search"),
        ("status=none", "status"),
        ("created_by=x", "created_by"),
        ("created_after=yesterday", "created_after"),
        ("created_after=2026-01-01T00:00:00", "created_after"),
        ("created_after=0001-01-01T00:00:00%2B14:00", "created_after"),
        ("ordering=password", "ordering"),
    ],
)
def test_a_filter_that_is_wrong_is_named(staff: APIClient, query: str, field: str) -> None:
    answer = staff.get(f"/api/campaigns/?{query}")
    assert (answer.status_code, list(complaints_in(answer.json()))) == (400, [field])


def test_a_filter_takes_any_offset_that_a_clock_can_have(staff: APIClient) -> None:
    campaign = make_campaign()
    answer = staff.get("/api/campaigns/", {"created_after": "1594-07-04T16:32:37+23:20"})
    assert [one["id"] for one in answer.json()["results"]] == [campaign.pk]


@pytest.mark.parametrize(
    "words",
    ["' OR 1=1 --", "'; DROP TABLE campaigns_pushcampaign; --", "%' OR '1'='1", "\\", "%", "_"],
)
def test_what_looks_like_sql_is_only_text(staff: APIClient, words: str) -> None:
    make_campaign()
    wanted = make_campaign(title=f"a{words}b")
    found = staff.get("/api/campaigns/", {"search": words}).json()["results"]
    assert [one["id"] for one in found] == [wanted.pk]
    for name in ("status", "ordering", "created_by", "page"):
        assert staff.get("/api/campaigns/", {name: words}).status_code in {400, 404}


def test_a_callers_request_id_comes_back(staff: APIClient) -> None:
    answer = staff.get("/api/campaigns/", headers={"X-Request-ID": REQUEST_ID})
    assert answer["X-Request-ID"] == REQUEST_ID


@pytest.mark.parametrize("given", ["", "7", "x" * 500, "../../etc", "a\tb"])
def test_what_is_no_request_id_is_replaced(staff: APIClient, given: str) -> None:
    answer = staff.get("/api/campaigns/", headers={"X-Request-ID": given})
    assert answer["X-Request-ID"] != given
    assert UUID(answer["X-Request-ID"])


@pytest.mark.django_db(transaction=True)
def test_a_task_and_the_log_have_the_id_of_the_request(staff: APIClient) -> None:
    campaign = make_campaign()
    staff.post(f"/api/campaigns/{campaign.pk}/send/", headers={"X-Request-ID": REQUEST_ID})
    with current_app.connection_for_read() as connection:
        message = connection.SimpleQueue("default").get(block=False)
        message.ack()
    assert message.headers["X-Request-ID"] == REQUEST_ID
    [handler] = [one for one in logging.getLogger().handlers if one.filters]
    assert "correlation_id" in str(handler.formatter._fmt)  # type: ignore[union-attr]


def test_nobody_fetches_the_addresses_in_a_campaign(staff: APIClient) -> None:
    """A server that listens there hears nothing, whatever is asked about the campaign."""
    heard: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=_listen, args=(listener, heard))
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/x.png"
        body = {"title": "Sale", "message": "x", "target_all": True}
        urls = {"image_url": url, "link_url": url, "data_payload": {"at": url}}
        made = staff.post("/api/campaigns/", body | urls, format="json")
        path = f"/api/campaigns/{made.json()['id']}"
        statuses = [
            made.status_code,
            staff.get(f"{path}/").status_code,
            staff.get(f"{path}/preview/").status_code,
            staff.post(f"{path}/duplicate/").status_code,
            staff.post(f"{path}/send/").status_code,
        ]
        # The first to be heard must be this one.
        with socket.create_connection(listener.getsockname()) as own:
            mine = own.getsockname()
            thread.join(timeout=10)
    assert statuses == [201, 200, 200, 201, 202]
    assert heard == [mine]


def _listen(listener: socket.socket, heard: list[Any]) -> None:
    connection, address = listener.accept()
    connection.close()
    heard.append(address)


def test_outside_of_the_api_errors_are_pages(client: Client) -> None:
    assert client.get("/nothing", headers={"Host": "evil.example"}).status_code == 400
