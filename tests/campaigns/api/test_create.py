from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from campaigns.models import PushCampaign
from tests.answers import complaints_in

pytestmark = pytest.mark.django_db

SALE = {"title": "Sale", "message": "Half price today.", "target_all": True}


def post(client: APIClient, **fields: Any) -> tuple[int, Any]:
    # Escaped, as many clients send it: the only way for half a surrogate pair to arrive.
    body = json.dumps(SALE | fields)
    answer = client.generic("POST", "/api/campaigns/", body, content_type="application/json")
    return answer.status_code, answer.json()


def refused(client: APIClient, **fields: Any) -> dict[str, Any]:
    """Post, see it refused with nothing saved, and return the fields that are complained of."""
    status, complaints = post(client, **fields)
    assert (status, PushCampaign.objects.count()) == (400, 0)
    return complaints_in(complaints)


def test_a_campaign_is_created_as_a_draft_of_its_author(staff: APIClient, staff_user: User) -> None:
    status, campaign = post(staff)
    stored = PushCampaign.objects.get()
    assert status == 201
    created_at = campaign.pop("created_at")
    assert created_at == stored.created_at.isoformat().replace("+00:00", "Z")
    assert campaign == {
        "id": stored.pk,
        "title": "Sale",
        "message": "Half price today.",
        "priority": "normal",
        "image_url": "",
        "link_url": "",
        "data_payload": {},
        "platform_overrides": {},
        "target_all": True,
        "target_user_ids": [],
        "target_user_count": 0,
        "segment": None,
        "user_list": None,
        "exclude_segment": None,
        "exclude_user_list": None,
        "time_to_live_s": None,
        "rate_limit_per_second": None,
        "guarantee": "at_least_once",
        "expires_at": None,
        "local_time": False,
        "timezone": "UTC",
        "scheduled_at": None,
        "status": "draft",
        "status_reason": "",
        "allowed_moves": ["cancel", "schedule", "send"],
        "total_recipients": 0,
        "sent_count": 0,
        "success_count": 0,
        "failure_count": 0,
        "invalid_count": 0,
        "unknown_count": 0,
        "skipped_count": 0,
        "started_at": None,
        "completed_at": None,
        "created_by": staff_user.pk,
    }


def test_every_field_that_can_be_written_is_stored(staff: APIClient) -> None:
    fields: dict[str, Any] = {
        "title": "Sale",
        "message": "Half price today.",
        "priority": "high",
        "image_url": "https://cdn.example/sale.png",
        "link_url": "https://shop.example/sale?a=1",
        "data_payload": {"sku": "4711"},
        "platform_overrides": {"android": {"notification": {"color": "#ff0000"}}},
        "target_all": False,
        "target_user_ids": ["ann", "bob"],
        "time_to_live_s": 3_600,
        "rate_limit_per_second": 100,
        "guarantee": "at_most_once",
        "expires_at": "2099-01-01T00:00:00Z",
        "local_time": True,
        "timezone": "Asia/Tokyo",
    }
    status, campaign = post(staff, **fields)
    assert status == 201
    assert {name: campaign[name] for name in fields} == fields


@pytest.mark.parametrize(
    "text",
    [
        "Ofertă 🎉👩‍👩‍👧",
        "تخفيضات اليوم",
        "שלום",
        "\u202ereversed\u202c",
        "日本語",
        "a\nb\tc",
        "'; DROP TABLE",
    ],
)
def test_texts_of_any_script_come_back_as_they_were(staff: APIClient, text: str) -> None:
    status, campaign = post(
        staff, title=text, message=text, data_payload={text: text}, target_all=True
    )
    assert (status, campaign["title"], campaign["message"]) == (201, text, text)
    assert campaign["data_payload"] == {text: text}


@pytest.mark.parametrize("bad", ["a\x00b", "\ud800"], ids=["NUL", "half a surrogate pair"])
@pytest.mark.parametrize(
    ("field", "wrap"),
    [
        ("title", lambda bad: bad),
        ("message", lambda bad: bad),
        ("link_url", lambda bad: bad),
        ("target_user_ids", lambda bad: [bad]),
        ("data_payload", lambda bad: {"key": bad}),
        ("data_payload", lambda bad: {bad: "value"}),
        ("platform_overrides", lambda bad: {"android": {"notification": {"color": bad}}}),
        ("platform_overrides", lambda bad: {"android": {"notification": {bad: "red"}}}),
        ("platform_overrides", lambda bad: {"apns": {"payload": {"aps": [[bad]]}}}),
    ],
)
def test_what_the_database_cannot_hold_is_refused_by_name(
    staff: APIClient, field: str, wrap: Any, bad: str
) -> None:
    fields = {field: wrap(bad)}
    if field == "target_user_ids":
        fields["target_all"] = False
    assert [path.partition(".")[0] for path in refused(staff, **fields)] == [field]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", "   "),
        ("title", "x" * 201),
        ("title", None),
        ("title", {"a": 1}),
        ("message", ""),
        ("message", "x" * 4_001),
        ("priority", "urgent"),
        ("guarantee", "exactly_once"),
        ("image_url", "http://plain.example/x.png"),
        ("image_url", "javascript:alert(1)"),
        ("link_url", "ftp://x.example/"),
        ("data_payload", [1]),
        ("data_payload", "text"),
        ("platform_overrides", [1]),
        ("time_to_live_s", -1),
        ("time_to_live_s", 2_419_201),
        ("time_to_live_s", "soon"),
        ("rate_limit_per_second", 0),
        ("rate_limit_per_second", -5),
        ("rate_limit_per_second", 2**31),
        ("expires_at", "tomorrow"),
        ("local_time", "perhaps"),
        ("timezone", "Tokyo"),
        ("timezone", ""),
        ("timezone", "x" * 65),
        ("expires_at", "2099-01-01T00:00:00"),
        ("expires_at", "0001-01-01T00:00:00+14:00"),
        ("target_user_ids", "ann"),
    ],
)
def test_a_field_that_is_wrong_is_named(staff: APIClient, field: str, value: Any) -> None:
    assert list(refused(staff, **{field: value})) == [field]


@pytest.mark.parametrize("field", ["segment", "user_list", "exclude_segment", "exclude_user_list"])
def test_what_is_named_by_its_id_has_to_be_there(staff: APIClient, field: str) -> None:
    assert refused(staff, **{field: 4711}) == {field: ["There is none with the id 4711."]}


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({"from": "us"}, "data_payload.from"),
        ({"google.x": "us"}, "data_payload.google.x"),
        ({"gcm": "us"}, "data_payload.gcm"),
        ({"message_type": "us"}, "data_payload.message_type"),
        ({"pushcore_id": "us"}, "data_payload.pushcore_id"),
    ],
)
def test_a_key_that_belongs_to_the_provider_is_named(
    staff: APIClient, data: dict[str, str], named: str
) -> None:
    assert list(refused(staff, data_payload=data)) == [named]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"data_payload": {"nested": {"a": "b"}}}, "data_payload.nested"),
        ({"platform_overrides": {"android": 1}}, "platform_overrides.android"),
        ({"target_user_ids": ["ann", {}], "target_all": False}, "target_user_ids.1"),
    ],
)
def test_what_is_wrong_inside_of_a_field_is_told_by_its_path(
    staff: APIClient, fields: dict[str, Any], path: str
) -> None:
    assert list(refused(staff, **fields)) == [path]


def test_an_override_of_an_unknown_platform_is_named(staff: APIClient) -> None:
    complaints = refused(staff, platform_overrides={"symbian": {}})
    assert list(complaints) == ["platform_overrides.symbian"]


def test_a_payload_over_4096_bytes_is_refused_with_its_size(staff: APIClient) -> None:
    complaints = refused(staff, data_payload={"k": "v" * 4_096})
    [message] = complaints.pop("data_payload")
    assert complaints == {}
    assert message.endswith("bytes, FCM takes 4096.")
    assert int(message.split()[3]) > 4_096


@pytest.mark.parametrize(
    ("fields", "heaviest"),
    [
        ({"message": "я" * 2_100, "data_payload": {"k": "v" * 2_200}}, "message"),
        ({"message": "a" * 2_100, "data_payload": {"k": "v" * 2_200}}, "data_payload"),
        ({"platform_overrides": {"apns": {"k": "v" * 4_096}}}, "platform_overrides"),
    ],
)
def test_of_what_is_too_large_together_the_largest_is_named(
    staff: APIClient, fields: dict[str, Any], heaviest: str
) -> None:
    assert list(refused(staff, **fields)) == [heaviest]


def test_an_override_that_no_json_can_hold_is_named(staff: APIClient) -> None:
    overrides = {"android": {"notification": {"notification_count": 2**64}}}
    assert list(refused(staff, platform_overrides=overrides)) == ["platform_overrides"]


def test_whoever_writes_what_an_action_sets_is_told_of_the_action(staff: APIClient) -> None:
    assert refused(staff, scheduled_at="2030-01-01T00:00:00Z", status="scheduled") == {
        "scheduled_at": ["It is set by /schedule/."],
        "status": ["It is moved by actions such as /send/."],
    }


def test_a_reference_that_is_no_id_is_refused_in_plain_words(staff: APIClient) -> None:
    complaints = refused(staff, target_all=False, segment="lapsed")
    assert complaints == {"segment": ["Must be an id, which is a whole number."]}


def test_where_no_field_is_to_blame_none_is_named(staff: APIClient) -> None:
    [error] = staff.post("/api/campaigns/", [], format="json").json()["errors"]
    assert (error["attr"], error["code"]) == (None, "invalid")


def test_several_faults_are_told_at_once(staff: APIClient) -> None:
    complaints = refused(staff, image_url="http://x.example/", data_payload={"from": "us"})
    assert list(complaints) == ["image_url", "data_payload.from"]


def test_an_audience_must_be_said(staff: APIClient) -> None:
    assert list(refused(staff, target_all=False)) == ["target_all"]


def test_everybody_must_be_asked_for_by_name(staff: APIClient) -> None:
    answer = staff.post("/api/campaigns/", {"title": "Sale", "message": "x"}, format="json")
    assert (answer.status_code, list(complaints_in(answer.json()))) == (400, ["target_all"])


def test_users_and_everybody_exclude_each_other(staff: APIClient) -> None:
    assert list(refused(staff, target_user_ids=["ann"])) == ["target_user_ids"]


def test_more_users_than_a_request_may_name_are_refused(staff: APIClient) -> None:
    users = [str(number) for number in range(100_001)]
    complaints = refused(staff, target_all=False, target_user_ids=users)
    assert list(complaints) == ["target_user_ids"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "completed"),
        ("status_reason", "because"),
        ("total_recipients", 7),
        ("sent_count", 7),
        ("success_count", 7),
        ("failure_count", 7),
        ("skipped_count", 7),
        ("created_by", 7),
        ("created_at", "2001-01-01T00:00:00Z"),
        ("started_at", "2001-01-01T00:00:00Z"),
        ("completed_at", "2001-01-01T00:00:00Z"),
        ("scheduled_at", "2001-01-01T00:00:00Z"),
        ("task_id", "00000000-0000-4000-8000-000000000001"),
        ("id", 7),
    ],
)
def test_what_is_not_the_callers_to_set_is_refused(
    staff: APIClient, field: str, value: Any
) -> None:
    assert list(refused(staff, **{field: value})) == [field]


def test_a_field_that_is_misspelt_is_named_beside_what_else_is_wrong(staff: APIClient) -> None:
    assert refused(staff, titel="Sale", priority="urgent") == {
        "priority": ["Must be one of high, normal, low."],
        "titel": ["There is no such field."],
    }


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"text"', '{"title": NaN}'])
def test_a_body_that_is_no_json_object_is_refused(staff: APIClient, body: str) -> None:
    answer = staff.generic("POST", "/api/campaigns/", body, content_type="application/json")
    assert (answer.status_code, PushCampaign.objects.count()) == (400, 0)


def test_only_json_is_taken(staff: APIClient) -> None:
    answer = staff.generic(
        "POST", "/api/campaigns/", "title=x", content_type="application/x-www-form-urlencoded"
    )
    assert answer.status_code == 415
