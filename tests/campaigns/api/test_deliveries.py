"""Deliveries over HTTP; what is found and how it is written: `test_deliveries`, `test_export`."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from campaigns.models import PushCampaign
from pushcore.outcomes import Outcome
from tests.cast import make_campaign, make_devices, make_project, settle_all, start_and_plan

pytestmark = pytest.mark.django_db


def sent_to(devices: int) -> PushCampaign:
    make_devices(make_project(), devices)
    campaign = make_campaign()
    for batch in start_and_plan(campaign):
        settle_all(batch, Outcome.FAILED)
    return campaign


def get(client: APIClient, campaign: PushCampaign, **query: Any) -> Any:
    answer = client.get(f"/api/campaigns/{campaign.pk}/deliveries/", query)
    assert answer.status_code == 200, answer.json()
    return answer.json()


def export(client: APIClient, campaign: PushCampaign, **query: Any) -> tuple[str, list[bytes]]:
    answer: Any = client.get(f"/api/campaigns/{campaign.pk}/deliveries/export/", query)
    assert answer.streaming
    return answer.headers["Content-Type"], b"".join(answer).splitlines()


def test_a_delivery_has_exactly_these_keys(staff: APIClient) -> None:
    [delivery] = get(staff, sent_to(1))["results"]
    assert list(delivery) == [
        "device_id",
        "user_id",
        "platform",
        "status",
        "error",
        "detail",
        "message_id",
        "sent_at",
    ]
    assert (delivery["status"], delivery["error"]) == ("failed", "TEST")


def test_pages_lead_from_one_to_the_next_and_keep_the_filter(staff: APIClient) -> None:
    campaign = sent_to(5)
    address: str | None = (
        f"/api/campaigns/{campaign.pk}/deliveries/?page_size=2&status=failed&status=unknown"
    )
    sizes, seen = [], set()
    while address:
        page = staff.get(address).json()
        sizes.append(len(page["results"]))
        seen |= {one["device_id"] for one in page["results"]}
        address = page["next"]
    assert (sizes, len(seen)) == ([2, 2, 1], 5)


def test_a_page_holds_a_hundred_or_as_many_as_are_asked_for(staff: APIClient) -> None:
    campaign = sent_to(1_001)
    assert len(get(staff, campaign)["results"]) == 100
    page = get(staff, campaign, page_size=1_000)
    assert len(page["results"]) == 1_000
    assert page["next"].endswith("page_size=1000")


def test_deliveries_are_found_by_device_user_and_status(staff: APIClient) -> None:
    campaign = sent_to(3)
    first, second, _ = get(staff, campaign)["results"]
    assert get(staff, campaign, device=first["device_id"])["results"] == [first]
    assert get(staff, campaign, user_id=second["user_id"])["results"] == [second]
    assert get(staff, campaign, status="success") == {"next": None, "results": []}


def test_a_draft_has_none(staff: APIClient) -> None:
    assert get(staff, make_campaign()) == {"next": None, "results": []}


def test_a_page_costs_the_same_statements_whatever_its_size(
    staff: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    campaign = sent_to(1_000)
    for size in (1, 1_000):
        with django_assert_num_queries(2):
            get(staff, campaign, page_size=size)


@pytest.mark.parametrize("path", ["deliveries/", "deliveries/export/"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "lost"),
        ("device", "x"),
        ("device", "0"),
        ("device", str(2**63)),
        ("user_id", "a\0b"),
        ("user_id", "x" * 256),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_by_name(
    staff: APIClient, path: str, name: str, value: str
) -> None:
    answer = staff.get(f"/api/campaigns/{make_campaign().pk}/{path}", {name: value})
    assert answer.status_code == 400
    assert name in str(answer.json())


@pytest.mark.parametrize("cursor", ["x", "1.2", "1.2.3.4", "-1.0.0", "1.99999999999.1", "1.2.x"])
def test_a_cursor_that_is_none_of_ours_is_refused(staff: APIClient, cursor: str) -> None:
    address = f"/api/campaigns/{make_campaign().pk}/deliveries/"
    assert staff.get(address, {"cursor": cursor}).status_code == 400


def test_what_is_not_there_is_404(staff: APIClient) -> None:
    for path in ("deliveries/", "deliveries/export/"):
        assert staff.get(f"/api/campaigns/7/{path}").status_code == 404


@pytest.mark.parametrize(
    ("file_format", "media_type", "header"),
    [("csv", "text/csv; charset=utf-8", 1), ("ndjson", "application/x-ndjson", 0)],
)
def test_a_file_has_a_line_for_each_that_is_wanted(
    staff: APIClient, file_format: str, media_type: str, header: int
) -> None:
    campaign = sent_to(3)
    found, lines = export(staff, campaign, file_format=file_format)
    assert (found, len(lines)) == (media_type, 3 + header)
    _, lines = export(staff, campaign, file_format=file_format, status="success")
    assert len(lines) == header


def test_a_file_is_csv_unless_asked_for_otherwise_whatever_the_caller_accepts(
    staff: APIClient,
) -> None:
    campaign = sent_to(1)
    answer = staff.get(
        f"/api/campaigns/{campaign.pk}/deliveries/export/", headers={"Accept": "text/csv"}
    )
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    name = f'attachment; filename="campaign-{campaign.pk}-deliveries.csv"'
    assert answer.headers["Content-Disposition"] == name


def test_a_format_there_is_not_is_refused(staff: APIClient) -> None:
    address = f"/api/campaigns/{make_campaign().pk}/deliveries/export/"
    answer = staff.get(address, {"file_format": "xlsx"})
    assert (answer.status_code, "file_format" in str(answer.json())) == (400, True)


def test_a_file_is_never_held_whole(staff: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The most that is held at a time does not grow with the audience."""
    monkeypatch.setattr("campaigns.deliveries.EXPORT_AT_ONCE", 100)

    def peak(campaign: PushCampaign) -> int:
        answer: Any = staff.get(f"/api/campaigns/{campaign.pk}/deliveries/export/")
        tracemalloc.start()
        try:
            for _piece in answer:
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    small = peak(sent_to(200))
    large = peak(sent_to(1_500))
    assert large < small * 1.5
