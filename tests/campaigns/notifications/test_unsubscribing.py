"""The page behind an e-mail's unsubscribe link."""

from __future__ import annotations

import pytest
from django.test import Client

from campaigns.notifications import unsubscribing
from campaigns.notifications.models import Unsubscription

pytestmark = pytest.mark.django_db


def path_for(address: str) -> str:
    return unsubscribing.link_for(address).removeprefix("https://push.example.com")


def test_a_look_changes_nothing(client: Client) -> None:
    answer = client.get(path_for("Ann@example.com"))
    assert answer.status_code == 200
    assert b"ann@example.com" in answer.content
    assert b"Unsubscribe</button>" in answer.content
    assert Unsubscription.objects.count() == 0


def test_the_button_unsubscribes_and_the_next_one_takes_it_back(client: Client) -> None:
    answer = client.post(path_for("ann@example.com"))
    assert answer.status_code == 200
    assert b"Nothing more is sent to" in answer.content
    assert Unsubscription.objects.get().address == "ann@example.com"
    client.post(path_for("ann@example.com"), {"again": "1"})
    assert Unsubscription.objects.count() == 0


def test_a_mail_program_needs_no_cookie() -> None:
    answer = Client(enforce_csrf_checks=True).post(
        path_for("ann@example.com"), {"List-Unsubscribe": "One-Click"}
    )
    assert answer.status_code == 200
    assert unsubscribing.is_unsubscribed("ann@example.com")


def test_twice_is_once(client: Client) -> None:
    for _ in range(2):
        assert client.post(path_for("ann@example.com")).status_code == 200
    assert Unsubscription.objects.count() == 1


@pytest.mark.parametrize("cut", [1, 12])
def test_a_link_that_is_not_whole_unsubscribes_nobody(client: Client, cut: int) -> None:
    whole = path_for("ann@example.com").rstrip("/")
    for method in (client.get, client.post):
        assert method(f"{whole[:-cut]}/").status_code == 404
    assert Unsubscription.objects.count() == 0


def test_nobody_else_can_sign_a_link() -> None:
    assert unsubscribing.address_in("ImFubkBleGFtcGxlLmNvbSI:1abc:forged") is None


def test_other_methods_are_refused(client: Client) -> None:
    assert client.delete(path_for("ann@example.com")).status_code == 405
