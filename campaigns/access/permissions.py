"""Who gets in: the rule that every view of the API is under.

A view declares `required_scopes`, the name of each action (of a plain view: of each method, in
lower case) → the scope it asks for. An action that is not named there is closed to everybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from campaigns.access.models import ApiKey
from campaigns.access.roles import scopes_of_user
from campaigns.access.scopes import allows

if TYPE_CHECKING:  # DRF imports this module from the one that APIView is in.
    from rest_framework.views import APIView

_NO_ACTION: Final = "metadata"
"""What DRF calls OPTIONS: answered with 405, as the schema says it better."""


class HasScope(BasePermission):
    """Lets in whoever has the scope that the view asks for; the default of every view."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Compare what the view asks for with what the caller has."""
        if not request.user.is_authenticated:
            return False
        action = _action(request, view)
        if action is None:
            return True  # There is nothing to let into: DRF answers 405.
        scopes: Mapping[str, str] = getattr(view, "required_scopes", {})
        needed = scopes.get(action)
        if needed is None:
            return False
        self.message = f"It takes the scope `{needed}`."  # DRF's words for whoever is refused
        return allows(granted_to(request), needed)


class HasAnyScope(BasePermission):
    """Lets in whoever may do anything here at all: for what describes the API itself."""

    def has_permission(self, request: Request, view: APIView) -> bool:  # noqa: ARG002 - DRF gives it
        """Look whether the caller has a scope, whichever."""
        return bool(request.user.is_authenticated and granted_to(request))


def granted_to(request: Request) -> frozenset[str]:
    """Return the scopes of whoever makes the request: the key's, or those of the person's roles."""
    if isinstance(request.auth, ApiKey):
        return frozenset(request.auth.scopes)
    return scopes_of_user(request.user)


def _action(request: Request, view: APIView) -> str | None:
    """Return the name under which the view asks for a scope; None where it has no such method."""
    if hasattr(view, "action_map"):
        action: str | None = getattr(view, "action", None)
        return None if action == _NO_ACTION else action
    method = str(request.method).lower()
    if method == "options" or not hasattr(view, method):
        return None
    return method
