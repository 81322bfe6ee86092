"""The send route over either wire: the order of checks, the exact refusals, quota, receipts."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

import pytest

from tests.loadtests.fcm_emulator.clients import PROJECT, Wire, message


def test_answers_with_a_name_of_its_own_for_each_message(wire: Wire) -> None:
    first, second = wire.send("e1.ok.a"), wire.send("e1.ok.a")

    assert first.status == second.status == 200
    assert first.json["name"].startswith(f"projects/{PROJECT}/messages/0:")
    assert first.json["name"] != second.json["name"]
    assert wire.emulator.control.counts(["e1.ok.a"]) == [2]


def test_keeps_one_connection_for_all_messages(wire: Wire) -> None:
    replies = wire.post_all([message(f"e1.ok.{n}") for n in range(250)])

    assert {r.status for r in replies} == {200}
    assert sum(r.connections for r in replies) == 1


def test_a_request_without_a_token_is_unauthenticated(wire: Wire) -> None:
    wire.access_token = ""

    reply = wire.send("e1.ok.a")

    assert reply.status == 401
    assert reply.json["error"]["status"] == "UNAUTHENTICATED"
    assert reply.fcm_code is None
    assert reply.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("how", ["unknown", "expired", "revoked", "rejected"])
def test_a_worthless_access_token_is_unauthenticated_before_the_body_is_looked_at(
    wire: Wire, how: str
) -> None:
    control = wire.emulator.control
    if how == "unknown":
        wire.access_token = "ya29.made-up"
    elif how == "expired":
        wire.access_token = control.access_token(expires_in=-1)
    elif how == "revoked":
        control.revoke_access_tokens()
    else:
        control.configure(reject_access_tokens=True)

    reply = wire.post(b"no json")

    assert reply.status == 401
    assert reply.json["error"]["message"].startswith(
        "Request had invalid authentication credentials."
    )
    assert reply.fcm_code is None
    assert control.stats()["accepted"] == 0


def test_an_access_token_of_another_project_is_denied(wire: Wire) -> None:
    wire.access_token = wire.emulator.control.access_token(project_id="another")

    reply = wire.send("e1.ok.a")

    assert (reply.status, reply.fcm_code) == (403, None)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("unauthenticated", 401, "UNAUTHENTICATED"),
        ("permission_denied", 403, "PERMISSION_DENIED"),
        ("not_found", 404, "NOT_FOUND"),
    ],
)
def test_a_project_can_be_refused_whole_without_an_fcm_error(
    wire: Wire, fault: str, status: int, code: str
) -> None:
    wire.emulator.control.configure(project_faults={PROJECT: fault})

    reply = wire.send("e1.ok.a")

    assert reply.status == status
    assert reply.json["error"]["status"] == code
    assert reply.fcm_code is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"message": {"token": "x"', None),
        ({"message": {"token": "x", "titel": "?"}}, "message"),
        ({"message": {"token": "x", "data": {"k": 1}}}, "message.data[0].value"),
        ({"message": {"token": "x", "android": {"ttl": "soon"}}}, "message.android.ttl"),
        ({"message": {"token": "x", "android": {"priority": "MAX"}}}, "message.android.priority"),
        ({"message": {"notification": {"title": "to nobody"}}}, "message"),
        ({"message": {"token": "x", "topic": "y"}}, "message"),
        ({"message": {"token": "x", "data": {"from": "me"}}}, "message.data"),
        ({"message": {"token": "x", "android": {"ttl": "2419201s"}}}, "message.android.ttl"),
    ],
)
def test_a_faulty_request_is_refused_with_the_path_of_its_field(
    wire: Wire, body: Any, field: str | None
) -> None:
    reply = wire.post(body)

    assert reply.status == 400
    assert reply.json["error"]["status"] == "INVALID_ARGUMENT"
    assert reply.fields == ([field] if field else [])


def test_too_large_a_payload_is_refused_without_details(wire: Wire) -> None:
    reply = wire.send("e1.ok.a", data={"k": "x" * 4_096})

    assert reply.status == 400
    assert "details" not in reply.json["error"]


def test_the_quota_refuses_what_exceeds_it_with_the_project_answer(wire: Wire) -> None:
    control = wire.emulator.control
    control.configure(quota_per_minute=5)

    # One refill may fall into the test, not two.
    replies = wire.post_all([message(f"e1.ok.{n}") for n in range(11)])

    refused = [r for r in replies if r.status == 429]
    assert refused
    info = refused[0].json["error"]["details"][0]
    assert refused[0].json["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert info["reason"] == "RATE_LIMIT_EXCEEDED"
    assert info["metadata"]["quota_limit"] == "SendsPerMinutePerProject"
    assert info["metadata"]["quota_limit_value"] == "5"
    assert refused[0].fcm_code is None
    assert 1 <= int(refused[0].headers["retry-after"]) <= 60
    assert control.stats()["accepted"] == 11 - len(refused)


@pytest.mark.parametrize("form", ["absent", "seconds", "date"])
def test_retry_after_comes_in_the_form_asked_for(wire: Wire, form: str) -> None:
    wire.emulator.control.configure(retry_after=form)

    reply = wire.send("e1.quota_device.1.30.a")

    value = reply.headers.get("retry-after")
    assert reply.status == 429
    if form == "absent":
        assert value is None
    elif form == "seconds":
        assert value == "30"
    else:
        assert value is not None
        assert 25 < parsedate_to_datetime(value).timestamp() - time() <= 30


def test_validate_only_checks_and_leaves_no_receipt(wire: Wire) -> None:
    reply = wire.post({"validate_only": True, **message("e1.unregistered.a")})

    assert reply.status == 200
    assert wire.emulator.control.stats()["validated_only"] == 1
    assert wire.emulator.control.stats()["accepted"] == 0


def test_accept_then_503_is_accepted_each_time_it_is_tried(wire: Wire) -> None:
    replies = [wire.send("e1.accept_unavailable.2.a") for _ in range(3)]

    assert [r.status for r in replies] == [503, 503, 200]
    assert wire.emulator.control.counts(["e1.accept_unavailable.2.a"]) == [3]
    stats = wire.emulator.control.stats()
    assert (stats["accepted_twice"], stats["duplicates"]) == (1, 2)
    assert stats["sends_after_final"] == 0


def test_hang_never_answers_and_accepts_only_if_asked_to(wire: Wire) -> None:
    replies = wire.post_all([message("e1.hang.a"), message("e1.accept_hang.a")], timeout_s=0.5)

    assert [r.status for r in replies] == [0, 0]
    assert all("timed out" in r.error for r in replies)
    assert wire.emulator.control.counts(["e1.hang.a", "e1.accept_hang.a"]) == [0, 1]


def test_slow_answers_later_than_the_others(wire: Wire) -> None:
    slow, quick = wire.post_all([message("e1.slow.300.a"), message("e1.ok.a")])

    assert slow.status == quick.status == 200
    assert slow.seconds >= 0.3
    assert quick.seconds < slow.seconds


@pytest.mark.parametrize(
    ("behaviour", "kind", "start", "length"),
    [
        ("odd_code", "application/json", b'{\n  "error"', 242),
        ("odd_text", "application/json", b'{"error": "out of order"}', 25),
        ("odd_html", "text/html", b"<!DOCTYPE html>", 112),
        ("odd_empty", "application/json", b"", 0),
        ("odd_huge", "application/json", b'{\n  "error"', 1 << 20),
    ],
)
def test_odd_answers_are_refusals_that_no_documentation_tells_of(
    wire: Wire, behaviour: str, kind: str, start: bytes, length: int
) -> None:
    reply = wire.send(f"e1.{behaviour}.x")

    assert reply.status == 400
    assert reply.headers["content-type"].startswith(kind)
    assert reply.body.startswith(start)
    assert len(reply.body) == pytest.approx(length, abs=100)
    assert wire.emulator.control.counts([f"e1.{behaviour}.x"]) == [0]


def test_latency_holds_back_every_answer(wire: Wire) -> None:
    wire.emulator.control.configure(latency_ms=150)

    assert wire.send("e1.ok.a").seconds >= 0.15


def test_an_unknown_outcome_in_a_target_is_told_at_once(wire: Wire) -> None:
    reply = wire.send("e1.unregisterd.a")

    assert reply.status == 400
    assert "unregisterd" in reply.json["error"]["message"]


def test_any_other_path_is_not_found(wire: Wire) -> None:
    wire.url += "All"

    assert wire.send("e1.ok.a").status == 404
    assert wire.emulator.control.stats()["received"] == 0


def test_receipts_tell_project_token_and_count(wire: Wire) -> None:
    wire.send("e1.ok.a")
    wire.send("e1.ok.a")
    wire.send("plain-token")

    receipts = sorted(wire.emulator.control.receipts(project=PROJECT), key=lambda r: r["token"])

    assert receipts == [
        {"project": PROJECT, "token": "e1.ok.a", "count": 2},
        {"project": PROJECT, "token": "plain-token", "count": 1},
    ]
    assert list(wire.emulator.control.receipts(project="another")) == []


def test_a_message_that_was_accepted_can_be_looked_at(wire: Wire) -> None:
    sent = message("e1.ok.a", data={"campaign": "7"})

    wire.post(json.dumps(sent).encode())

    assert wire.emulator.control.messages("e1.ok.a") == [sent]
