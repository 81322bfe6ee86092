"""People's roles: Django's groups."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, Group, User

from campaigns.access.scopes import EVERYTHING, SCOPES_OF_ROLES, Role


def make_groups(*, using: str, **_: Any) -> None:
    """Make the groups that are missing; runs after every `migrate`."""
    Group.objects.using(using).bulk_create(
        [Group(name=role.value) for role in Role], ignore_conflicts=True
    )


def scopes_of_user(user: AbstractBaseUser | AnonymousUser) -> frozenset[str]:
    """Return what the person's roles allow; a superuser may do everything, an inactive one nothing.

    Costs one query, but for a superuser.
    """
    if not isinstance(user, User) or not user.is_active:
        return frozenset()
    if user.is_superuser:
        return EVERYTHING
    names = user.groups.filter(name__in=SCOPES_OF_ROLES).values_list("name", flat=True)
    return frozenset().union(*(SCOPES_OF_ROLES[name] for name in names))
