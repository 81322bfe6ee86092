"""What a load balancer asks."""

from __future__ import annotations

import time

import pytest
from django.test import Client
from pytest_django import Settings

from campaigns.doctor import probes
from campaigns.doctor.examination import examine
from tests.campaigns.conftest import Broker


@pytest.fixture(autouse=True)
def _not_looked_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "_readiness", probes._Readiness())


def test_alive_is_who_answers_whatever_is_away(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = client.get("/healthz")  # without a database: the test has none
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.django_db(transaction=True)
def test_ready_is_who_reaches_everything(client: Client, broker: Broker) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.django_db(transaction=True)
def test_not_ready_says_what_is_missing_and_nothing_else(
    client: Client, settings: Settings, broker_is_away: None
) -> None:
    settings.REDIS_URL = "redis://:secret@127.0.0.1:1/0"
    began = time.monotonic()
    answer = client.get("/readyz")
    assert time.monotonic() - began < 6
    assert (answer.status_code, answer.json()) == (
        503,
        {"status": "unavailable", "missing": ["Redis"]},
    )


def test_however_often_it_is_asked_the_servers_are_asked_once(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []

    def look(*_: object, within_s: float, **__: object) -> list[object]:
        looks.append(within_s)
        return []

    monkeypatch.setattr(probes, "examine", look)
    for _ in range(5):
        assert client.get("/readyz").status_code == 200
    assert looks == [3.0]
    assert examine is not look


def test_other_methods_are_refused(client: Client) -> None:
    for path in ("/healthz", "/readyz"):
        assert client.post(path).status_code == 405
        assert client.head(path).status_code in {200, 503}
