"""What there is to be allowed, and which role allows what.

A scope is what a view asks for. Programs have scopes by their API key, people by their roles, which
are Django's groups of the same name: whoever is in several may do what any of them allows.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Scope(StrEnum):
    """One thing that a program or a person may be allowed to do."""

    CAMPAIGNS_READ = "campaigns:read"
    """See campaigns, their accounts, who got what, and the metrics."""
    CAMPAIGNS_WRITE = "campaigns:write"
    """Write campaigns and change them while nothing was sent; nobody hears of it."""
    CAMPAIGNS_SEND = "campaigns:send"
    """Have messages sent, now or later, and steer what is being sent."""
    DEVICES_READ = "devices:read"
    """See devices and audiences."""
    DEVICES_WRITE = "devices:write"
    """Register, change and import devices; write audiences."""
    ADMIN = "admin"
    """All of the above, and API keys, the audit trail and whatever else is for administrators."""


class Role(StrEnum):
    """What a person is here: the name of one of Django's groups."""

    VIEWER = "viewer"
    EDITOR = "editor"
    SENDER = "sender"
    ADMIN = "admin"


EVERYTHING: Final = frozenset(Scope)
_READING: Final = frozenset({Scope.CAMPAIGNS_READ, Scope.DEVICES_READ})

SCOPES_OF_ROLES: Final[dict[str, frozenset[Scope]]] = {
    Role.VIEWER: _READING,
    Role.EDITOR: _READING | {Scope.CAMPAIGNS_WRITE, Scope.DEVICES_WRITE},
    # Whoever presses the button is not who wrote the text, unless somebody is given both roles.
    Role.SENDER: _READING | {Scope.CAMPAIGNS_SEND},
    Role.ADMIN: EVERYTHING,
}


def allows(granted: frozenset[str], needed: str) -> bool:
    """Return whether the granted scopes cover the needed one: `admin` covers each."""
    return needed in granted or Scope.ADMIN in granted
