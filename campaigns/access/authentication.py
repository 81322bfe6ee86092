"""Programs show who they are by `Authorization: Api-Key <key>`."""

from __future__ import annotations

from typing import Final

from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from campaigns.access.keys import find_usable_key, note_use
from campaigns.access.models import ApiKey

KEYWORD: Final = "Api-Key"


class ApiKeyAuthentication(BaseAuthentication):
    """Recognises a key; `request.user` is then its owner and `request.auth` the key.

    What is allowed depends on the key's scopes alone, whatever the owner's roles are.
    """

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        """Return the key and its owner; None where the request brings no key.

        Raises:
            AuthenticationFailed: the key opens nothing; whether it never did, has expired or was
                revoked is not told to whoever holds it.
        """
        keyword, _, text = get_authorization_header(request).decode("latin-1").partition(" ")
        if keyword.lower() != KEYWORD.lower():
            return None
        now = timezone.now()
        key = find_usable_key(text.strip(), now=now)
        if key is None:
            raise AuthenticationFailed("This API key is not valid.")
        note_use(key, now=now)
        return key.created_by, key

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - DRF gives it
        """Return what 401 asks for."""
        return KEYWORD
