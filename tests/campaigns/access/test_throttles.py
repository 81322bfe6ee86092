from __future__ import annotations

import time
from typing import Any

import pytest
import redis
from pytest_django import Settings
from rest_framework.test import APIClient

from campaigns.access import throttles
from campaigns.access.throttles import Budgets
from devices.api.views import ImportViewSet
from tests.campaigns.access.cast import StoppedBudgets, make_key, make_person, person, program
from tests.cast import make_campaign
from tests.fixtures.redis import ValkeyServer


@pytest.fixture
def budgets(redis_client: redis.Redis) -> Budgets:
    return Budgets(redis_client)


def test_a_budget_holds_a_minutes_units(budgets: Budgets, unique_key: str) -> None:
    waits = [budgets.take(unique_key, cost=1, units=2) for _ in range(4)]
    assert waits[:2] == [0, 0]
    for wait in waits[2:]:  # a refusal takes nothing
        assert 0 < wait <= 30


def test_a_call_costs_what_it_costs(budgets: Budgets, unique_key: str) -> None:
    assert budgets.take(unique_key, cost=2, units=3) == 0
    assert 0 < budgets.take(unique_key, cost=3, units=3) <= 40
    assert budgets.take(unique_key, cost=1, units=3) == 0


def test_a_budget_refills_evenly(budgets: Budgets, unique_key: str) -> None:
    units = 60
    assert budgets.take(unique_key, cost=units, units=units) == 0
    wait_s = budgets.take(unique_key, cost=1, units=units)
    assert wait_s <= 1
    time.sleep(wait_s)
    assert budgets.take(unique_key, cost=1, units=units) == 0


def test_a_budget_that_is_full_is_forgotten(
    budgets: Budgets, unique_key: str, redis_client: redis.Redis
) -> None:
    budgets.take(unique_key, cost=1, units=2)
    assert 0 < int(str(redis_client.pttl(f"pushcore:budget:{unique_key}"))) <= 30_000


def test_callers_have_budgets_of_their_own(budgets: Budgets, unique_key: str) -> None:
    assert budgets.take(unique_key, cost=6, units=6) == 0
    assert budgets.take(f"{unique_key}-other", cost=6, units=6) == 0


def test_everybody_is_let_in_while_redis_is_away_and_soon_held_back_again(
    own_redis: ValkeyServer,
    unique_key: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(throttles, "_ASKED_AGAIN_AFTER_S", 0.0)
    with redis.Redis.from_url(own_redis.url, socket_timeout=0.25) as client:
        budgets = Budgets(client)
        own_redis.kill()
        assert [budgets.take(unique_key, cost=6, units=6) for _ in range(3)] == [0, 0, 0]
        assert "no caller is held back" in caplog.text
        own_redis.start()
        assert budgets.take(unique_key, cost=6, units=6) == 0  # the script is unknown to it by now
        assert budgets.take(unique_key, cost=6, units=6) > 0


def test_a_redis_that_is_away_is_not_asked_by_every_request(unique_key: str) -> None:
    class Away:
        asked = 0

        def register_script(self, _: str) -> Any:
            return self.ask

        def ask(self, **_: Any) -> int:
            self.asked += 1
            raise redis.ConnectionError

    client: Any = Away()
    budgets = Budgets(client)
    for _ in range(5):
        budgets.take(unique_key, cost=1, units=1)
    assert client.asked == 1


@pytest.fixture
def _ten_units(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.API_UNITS_PER_MINUTE = 10
    budgets = StoppedBudgets()
    monkeypatch.setattr(throttles, "budgets_in", lambda _: budgets)


def statuses(client: APIClient, count: int) -> list[int]:
    return [client.get("/api/campaigns/active/").status_code for _ in range(count)]


@pytest.mark.django_db
@pytest.mark.usefixtures("_ten_units")
def test_whoever_has_spent_the_minute_is_told_the_limit_and_when_to_come_back() -> None:
    client = person("viewer")
    assert statuses(client, 10) == [200] * 10
    answer = client.get("/api/campaigns/active/")
    assert answer.status_code == 429
    assert answer["Retry-After"] == "6"
    words = "Of 10 units a minute too few are left for this call, which costs 1."
    assert words in answer.content.decode()


@pytest.mark.django_db
@pytest.mark.usefixtures("_ten_units")
def test_two_keys_of_one_owner_do_not_share() -> None:
    (_, one), (_, other) = make_key("campaigns:read"), make_key("campaigns:read")
    assert statuses(program(one), 11) == [200] * 10 + [429]
    assert statuses(program(other), 1) == [200]
    assert statuses(person("viewer"), 1) == [200]


@pytest.mark.django_db
@pytest.mark.usefixtures("_ten_units")
def test_what_was_held_back_has_changed_nothing() -> None:
    client, campaign = person("sender"), make_campaign()
    statuses(client, 10)
    assert client.post(f"/api/campaigns/{campaign.pk}/cancel/").status_code == 429
    campaign.refresh_from_db()
    assert campaign.status == "draft"


@pytest.mark.django_db
@pytest.mark.usefixtures("_ten_units")
def test_a_large_body_costs_more() -> None:
    client = person("editor")
    rows = [{"user_id": "x" * 200}] * 500  # refused row by row, and paid for
    answer = client.post("/api/devices/bulk/", rows, format="json")
    size = int(answer.wsgi_request.META["CONTENT_LENGTH"])
    assert size // throttles.BYTES_OF_A_UNIT == 6
    assert statuses(client, 4) == [200, 200, 200, 429]


@pytest.mark.django_db
@pytest.mark.usefixtures("_ten_units")
def test_a_view_names_what_its_actions_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImportViewSet, "throttle_costs", {"list": 9}, raising=False)
    client = person("viewer")
    assert client.get("/api/devices/imports/").status_code == 200
    assert statuses(client, 2) == [200, 429]


@pytest.mark.django_db
@pytest.mark.usefixtures("_ten_units")
def test_what_costs_more_than_a_minute_gives_takes_the_whole_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ImportViewSet, "throttle_costs", {"list": 1_000}, raising=False)
    client = person("viewer")
    assert client.get("/api/devices/imports/").status_code == 200
    assert client.get("/api/devices/imports/").status_code == 429


@pytest.mark.django_db
@pytest.mark.usefixtures("_ten_units")
def test_without_a_bound_nobody_is_held_back(settings: Settings) -> None:
    settings.API_UNITS_PER_MINUTE = 0
    assert statuses(person("viewer"), 12) == [200] * 12


@pytest.mark.django_db
@pytest.mark.usefixtures("_ten_units")
def test_strangers_have_a_budget_by_address(settings: Settings) -> None:
    settings.METRICS_OPEN = True
    make_person("viewer")
    calls = [APIClient().get("/metrics").status_code for _ in range(11)]
    assert calls == [200] * 10 + [429]
