from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from auditlog.models import LogEntry
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tests.campaigns.access.cast import make_key, make_person, person
from tests.cast import make_campaign, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> APIClient:
    client = person("admin")
    LogEntry.objects.all().delete()
    return client


def found(client: APIClient, **query: Any) -> list[dict[str, Any]]:
    answer = client.get("/api/audit-log/", query)
    assert answer.status_code == 200, answer.content
    entries: list[dict[str, Any]] = answer.json()["results"]
    return entries


def test_tells_who_did_what_to_what(admin: APIClient) -> None:
    campaign = make_campaign(title="Sale")
    LogEntry.objects.all().delete()
    person("sender").post(f"/api/campaigns/{campaign.pk}/cancel/")
    sender = make_person("sender")
    [entry] = found(admin, object_type="campaign")
    assert {name: entry[name] for name in ("action", "actor", "actor_name", "by")} == {
        "action": "update",
        "actor": sender.pk,
        "actor_name": "sender",
        "by": {"via": "request"},
    }
    assert (entry["object_type"], entry["object_id"], entry["object_text"]) == (
        "campaign",
        str(campaign.pk),
        f"campaign {campaign.pk}: Sale",
    )
    assert entry["changes"]["status"] == ["draft", "cancelled"]


def test_one_objects_entries_can_be_asked_for(admin: APIClient) -> None:
    campaign, other = make_campaign(), make_campaign()
    make_project()
    assert [one["object_id"] for one in found(admin, object_type="campaign")] == [
        str(other.pk),
        str(campaign.pk),
    ]
    entries = found(admin, object_type="campaign", object_id=campaign.pk)
    assert [one["object_id"] for one in entries] == [str(campaign.pk)]
    assert len(found(admin, action="create")) == 3
    assert found(admin, action="delete") == []


def test_one_persons_entries_can_be_asked_for(admin: APIClient) -> None:
    campaign = make_campaign()
    person("sender").post(f"/api/campaigns/{campaign.pk}/cancel/")
    assert [one["action"] for one in found(admin, actor=make_person("sender").pk)] == ["update"]


def test_a_time_can_be_asked_for(admin: APIClient) -> None:
    make_campaign()
    now = timezone.now()
    later = (now + timedelta(hours=1)).isoformat()
    assert len(found(admin, until=later)) == 1
    assert found(admin, since=later) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("object_type", "device"),
        ("action", "read"),
        ("actor", "ann"),
        ("actor", 2**31),
        ("since", "yesterday"),
        ("object_id", "a\x00b"),
        ("object_id", "x" * 256),
    ],
)
def test_a_bad_filter_is_refused_by_its_name(admin: APIClient, name: str, value: str | int) -> None:
    answer = admin.get("/api/audit-log/", {name: value})
    assert answer.status_code == 400
    assert name in answer.content.decode()


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_the_trail_is_only_read(admin: APIClient, method: str) -> None:
    assert getattr(admin, method)("/api/audit-log/").status_code == 405


def test_a_key_in_the_trail_shows_no_secret(admin: APIClient) -> None:
    key, text = make_key("admin")
    shown = admin.get("/api/audit-log/?object_type=api_key").content.decode()
    assert key.prefix in shown
    assert text.partition(".")[2] not in shown
    assert "sha512" not in shown


def test_many_entries_cost_as_many_queries_as_one(
    admin: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(3):
        make_campaign()
    with django_assert_num_queries(4):  # session, user, roles, entries
        assert len(found(admin)) == 3
