from __future__ import annotations

import json
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from campaigns.models import PushCampaign
from campaigns.schedules import firing
from campaigns.schedules.models import Schedule
from tests.answers import complaints_in
from tests.campaigns.schedules.cast import at, make_schedule
from tests.cast import make_campaign

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker")]
PATH = "/api/schedules/"
DAILY: dict[str, Any] = {"name": "Daily", "cron": "0 9 * * *", "timezone": "Europe/Berlin"}


def post(client: APIClient, path: str = PATH, **fields: Any) -> tuple[int, Any]:
    body = json.dumps(fields)  # escaped, the only way for half a surrogate pair to arrive
    answer = client.generic("POST", path, body, content_type="application/json")
    return answer.status_code, answer.json()


def test_a_sender_lets_a_campaign_come_again(sender: APIClient) -> None:
    campaign = make_campaign(message="Coffee?")
    window = {"window_opens": "08:00", "window_closes": "21:30"}
    status, schedule = post(sender, **DAILY, **window, campaign=campaign.pk, max_runs=5)
    stored = Schedule.objects.get()
    content = schedule.pop("content")
    assert (status, content["message"], content["target_all"]) == (201, "Coffee?", True)
    assert (content["target_user_count"], "target_user_ids" in content) == (0, False)
    assert schedule.pop("next_slot") == schedule.pop("due_at")
    assert schedule.pop("created_at") is not None
    assert schedule.pop("created_by") == stored.created_by_id
    assert schedule == {
        "id": stored.pk,
        "name": "Daily",
        "campaign": campaign.pk,
        "cron": "0 9 * * *",
        "timezone": "Europe/Berlin",
        "starts_at": None,
        "ends_at": None,
        "window_opens": "08:00",
        "window_closes": "21:30",
        "max_runs": 5,
        "overlap": "skip",
        "max_lateness_s": 3600,
        "status": "active",
        "waits_because": "",
        "started_runs": 0,
    }


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"cron": "0 0 30 2 *"}, "cron"),
        ({"cron": "0 9 * *"}, "cron"),
        ({"cron": "\0"}, "cron"),
        ({"cron": None}, "cron"),
        ({"cron": "0,"}, "cron"),
        ({"cron": "1," * 60 + "1 * * * *"}, "cron"),
        ({"timezone": "Nowhere/City"}, "timezone"),
        ({"timezone": "\ud800"}, "timezone"),
        ({"starts_at": "2098-01-01T00:00:00Z", "ends_at": "2097-01-01T00:00:00Z"}, "ends_at"),
        ({"ends_at": "2001-01-01T00:00:00Z"}, "ends_at"),
        ({"starts_at": "soon"}, "starts_at"),
        ({"starts_at": "9999-12-31T23:59:59Z"}, "cron"),
        ({"window_opens": "09:00"}, "window_closes"),
        ({"window_opens": "25:00", "window_closes": "21:00"}, "window_opens"),
        ({"window_opens": "09:00+02:00", "window_closes": "21:00"}, "window_opens"),
        ({"window_opens": "10:00", "window_closes": "21:00"}, "cron"),
        ({"overlap": "both"}, "overlap"),
        ({"max_runs": 0}, "max_runs"),
        ({"max_runs": -1}, "max_runs"),
        ({"max_runs": 2**31}, "max_runs"),
        ({"max_lateness_s": 59}, "max_lateness_s"),
        ({"campaign": 0}, "campaign"),
        ({"campaign": 10**30}, "campaign"),
        ({"campaign": "x\0"}, "campaign"),
        ({"campaign": None}, "campaign"),
        ({"starts_at": "2098-01-01T00:00:00"}, "starts_at"),
        ({"started_runs": 5}, "started_runs"),
        ({"next_slot": "2098-01-01T00:00:00Z"}, "next_slot"),
        ({"created_by": 1}, "created_by"),
        ({"content": {}}, "content"),
        ({"crom": "* * * * *"}, "crom"),
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
    ],
)
def test_a_field_that_is_wrong_is_named_and_nothing_is_saved(
    sender: APIClient, fields: dict[str, Any], field: str
) -> None:
    body = DAILY | {"campaign": make_campaign().pk} | fields
    status, answer = post(sender, **body)
    assert (status, list(complaints_in(answer))) == (400, [field])
    assert Schedule.objects.count() == 0
    status, answer = post(sender, f"{PATH}preview/", **body)
    assert (status, list(complaints_in(answer))) == (400, [field])


def test_without_a_campaign_there_is_nothing_to_send(sender: APIClient) -> None:
    status, answer = post(sender, **DAILY)
    assert (status, list(complaints_in(answer))) == (400, ["campaign"])


def test_the_next_ten_runs_are_seen_before_anything_is_saved(viewer: APIClient) -> None:
    body = {"cron": "0 9 * * *", "timezone": "Asia/Tokyo", "starts_at": "2090-06-01T00:00:00Z"}
    status, runs = post(viewer, f"{PATH}preview/", **body)
    assert (status, len(runs), Schedule.objects.count()) == (200, 10, 0)
    assert runs[0] == {
        "slot": "2090-06-01T00:00:00Z",
        "local": "2090-06-01T09:00:00+09:00",
        "begins_at": "2090-06-01T00:00:00Z",
    }
    assert runs[9]["local"] == "2090-06-10T09:00:00+09:00"


def test_a_schedule_is_read_changed_paused_resumed_and_deleted(sender: APIClient) -> None:
    schedule = make_schedule(now="1 12:00")
    path = f"{PATH}{schedule.pk}/"
    assert sender.get(path).json()["name"] == "Daily"
    answer = sender.patch(path, {"name": "Weekly", "cron": "0 9 * * 1"}, format="json")
    assert (answer.status_code, answer.json()["name"]) == (200, "Weekly")
    assert len(sender.get(f"{path}upcoming/").json()) == 10
    assert post(sender, f"{path}pause/")[1]["status"] == "paused"
    assert post(sender, f"{path}resume/")[1]["status"] == "active"
    assert sender.delete(path).status_code == 204
    assert (Schedule.objects.count(), PushCampaign.objects.count()) == (0, 1)


def test_of_two_who_change_one_schedule_the_second_reads_it_again(sender: APIClient) -> None:
    path = f"{PATH}{make_schedule().pk}/"
    tag = sender.get(path)["ETag"]
    first = sender.patch(path, {"name": "First"}, format="json", headers={"If-Match": tag})
    second = sender.patch(path, {"name": "Second"}, format="json", headers={"If-Match": tag})
    assert (first.status_code, second.status_code) == (200, 412)
    assert Schedule.objects.get().name == "First"
    assert sender.get(path, headers={"If-None-Match": first["ETag"]}).status_code == 304


def test_a_schedule_that_is_asked_for_twice_under_one_key_is_created_once(
    sender: APIClient,
) -> None:
    body = DAILY | {"campaign": make_campaign().pk}
    answers = [
        sender.post(PATH, body, format="json", headers={"Idempotency-Key": "k-1"}) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert Schedule.objects.count() == 1


def test_a_change_that_is_refused_names_the_field(sender: APIClient) -> None:
    schedule = make_schedule()
    answer = sender.patch(f"{PATH}{schedule.pk}/", {"max_lateness_s": 5}, format="json")
    assert (answer.status_code, list(complaints_in(answer.json()))) == (400, ["max_lateness_s"])
    schedule.refresh_from_db()
    assert schedule.max_lateness_s == 3_600


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", ""),
        ("patch", ""),
        ("delete", ""),
        ("post", "pause/"),
        ("post", "resume/"),
        ("get", "upcoming/"),
        ("get", "runs/"),
    ],
)
def test_a_schedule_that_there_is_not_is_not_found(
    sender: APIClient, method: str, path: str
) -> None:
    assert getattr(sender, method)(f"{PATH}999999/{path}").status_code == 404


def test_what_became_of_each_slot_can_be_seen(viewer: APIClient) -> None:
    schedule = make_schedule()
    firing.fire_due_schedules(now=at("2 09:00"))
    firing.fire_due_schedules(now=at("3 12:00"))
    [campaign] = PushCampaign.objects.filter(schedule_run__schedule=schedule)
    listed = viewer.get(f"{PATH}{schedule.pk}/runs/").json()
    assert listed["count"] == 2
    assert listed["results"] == [
        {
            "slot": "2026-03-03T09:00:00Z",
            "outcome": "missed",
            "reason": "It was 10800 s late; up to 3600 s are allowed.",
            "campaign": None,
            "decided_at": "2026-03-03T12:00:00Z",
        },
        {
            "slot": "2026-03-02T09:00:00Z",
            "outcome": "started",
            "reason": "",
            "campaign": campaign.pk,
            "decided_at": "2026-03-02T09:00:00Z",
        },
    ]
    missed = viewer.get(f"{PATH}{schedule.pk}/runs/?outcome=missed").json()
    assert [run["outcome"] for run in missed["results"]] == ["missed"]
    assert viewer.get(f"{PATH}{schedule.pk}/runs/?outcome=lost").status_code == 400


def test_who_may_write_but_not_send_makes_no_schedule(editor: APIClient) -> None:
    schedule = make_schedule()
    before = Schedule.objects.values().get()
    path = f"{PATH}{schedule.pk}/"
    answers = [
        editor.post(PATH, DAILY | {"campaign": make_campaign().pk}, format="json"),
        editor.patch(path, {"cron": "* * * * *"}, format="json"),
        editor.post(f"{path}pause/"),
        editor.post(f"{path}resume/"),
        editor.delete(path),
    ]
    assert [answer.status_code for answer in answers] == [403] * 5
    assert Schedule.objects.values().get() == before


def test_a_list_costs_the_same_however_many_there_are(
    viewer: APIClient, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        make_schedule()
    with django_assert_max_num_queries(4):
        listed = viewer.get(PATH).json()
    assert listed["count"] == 5
    assert "content" not in listed["results"][0]
    assert listed["results"][0]["next_slot"] is not None
