from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from campaigns.access import login
from tests.campaigns.access.cast import StoppedBudgets

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def _stopped_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    budgets = StoppedBudgets()
    monkeypatch.setattr(login, "budgets_in", lambda _: budgets)


@pytest.fixture
def ann() -> User:
    return User.objects.create_user("ann", password=PASSWORD)


def log_in(name: str, password: str, *, client: Client | None = None, **extra: str) -> bool:
    """Try to, and return whether it worked."""
    body = {"username": name, "password": password}
    answer = (client or Client()).post("/login/", body, **extra)  # type: ignore[arg-type]
    assert answer.status_code in {200, 302}
    return answer.status_code == 302


def test_a_person_logs_in_and_out(ann: User) -> None:
    client = Client()
    assert 'name="csrfmiddlewaretoken"' in client.get("/login/").content.decode()
    assert log_in(ann.username, PASSWORD, client=client)
    assert client.get("/api/campaigns/").status_code == 403  # known, but without a role
    assert client.post("/logout/").status_code == 302
    assert client.get("/api/campaigns/").status_code == 401


def test_logging_in_leads_to_the_description_or_where_one_came_from(ann: User) -> None:
    body = {"username": ann.username, "password": PASSWORD}
    assert Client().post("/login/", body).headers["Location"] == "/api/docs/"
    for there, leads_to in (("/admin/", "/admin/"), ("https://evil.example/", "/api/docs/")):
        answer = Client().post("/login/", body | {"next": there})
        assert answer.headers["Location"] == leads_to


def test_logging_in_needs_the_csrf_token(ann: User) -> None:
    body = {"username": ann.username, "password": PASSWORD}
    assert Client(enforce_csrf_checks=True).post("/login/", body).status_code == 403


def test_whoever_guesses_gets_ten_tries_a_minute(ann: User) -> None:
    assert not any(log_in(ann.username, f"guess {number}") for number in range(10))
    assert not log_in(ann.username, PASSWORD)


def test_whoever_guesses_elsewhere_locks_nobody_out(ann: User) -> None:
    for number in range(11):
        log_in(ann.username, f"guess {number}", REMOTE_ADDR="203.0.113.7")
    assert log_in(ann.username, PASSWORD)


def test_the_admin_sites_door_is_no_way_around(ann: User) -> None:
    User.objects.filter(pk=ann.pk).update(is_staff=True)
    body = {"username": ann.username, "password": "a guess"}
    for _ in range(10):
        Client().post("/admin/login/", body)
    answer = Client().post("/admin/login/", body | {"password": PASSWORD})
    assert answer.status_code == 200
    assert "Please enter the correct username" in answer.content.decode()


def test_an_inactive_account_does_not_get_in(ann: User) -> None:
    User.objects.filter(pk=ann.pk).update(is_active=False)
    assert not log_in(ann.username, PASSWORD)
