"""The people and programs of the access tests."""

from __future__ import annotations

from django.contrib.auth.models import Group, User
from django.utils import timezone
from rest_framework.test import APIClient

from campaigns.access.keys import create_key
from campaigns.access.models import ApiKey
from campaigns.access.scopes import Scope


def make_person(*roles: str) -> User:
    """Return somebody with these roles, made once a test."""
    user, _ = User.objects.get_or_create(username="-".join(roles) or "nobody")
    user.groups.set(Group.objects.filter(name__in=roles))
    return user


def person(*roles: str) -> APIClient:
    """Return the browser of somebody who has logged in."""
    client = APIClient()
    client.force_login(make_person(*roles))
    return client


def make_key(*scopes: str, owner: User | None = None) -> tuple[ApiKey, str]:
    """Return a key with these scopes, and its text."""
    return create_key(
        name="program",
        scopes=[Scope(scope) for scope in scopes],
        owner=owner or make_person(),
        now=timezone.now(),
    )


class StoppedBudgets:
    """Budgets in which nothing flows back, however long a test takes."""

    def __init__(self) -> None:
        self._spent: dict[str, int] = {}

    def take(self, caller: str, *, cost: int, units: int) -> float:
        spent = self._spent.get(caller, 0) + cost
        if spent > units:
            return 60 * (spent - units) / units
        self._spent[caller] = spent
        return 0


def program(text: str) -> APIClient:
    """Return a program that shows this key."""
    return APIClient(headers={"Authorization": f"Api-Key {text}"})
