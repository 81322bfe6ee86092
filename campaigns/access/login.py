"""People log in by name and password; who guesses passwords is slowed down."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from rest_framework.throttling import BaseThrottle

from campaigns.access.throttles import budgets_in

TRIES_PER_MINUTE: Final = 10
"""For one name from one address: nobody can lock somebody else out from elsewhere."""


class SlowedDownBackend(ModelBackend):
    """Django's own, which looks at no password after too many tries; also at the admin site's door.

    Where Redis cannot be asked nobody is slowed down, as with the API's budgets.
    """

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **others: Any,
    ) -> User | None:
        """Return who it is, if the password is right.

        Raises:
            PermissionDenied: there were too many tries; Django tells it like a wrong password.
        """
        if request is not None and username is not None:
            address = BaseThrottle().get_ident(request)  # type: ignore[arg-type]
            budgets = budgets_in(settings.REDIS_URL)
            if budgets.take(f"login:{address}:{username}", cost=1, units=TRIES_PER_MINUTE):
                raise PermissionDenied
        return super().authenticate(request, username=username, password=password, **others)
