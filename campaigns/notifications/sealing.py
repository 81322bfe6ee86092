"""What is secret in a channel, encrypted at rest under `FERNET_KEYS`."""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class Sealed(Exception):
    """The secrets of channels can't be written or read; the message says what is missing."""


def seal(text: str) -> str:
    """Return the text encrypted under the first key.

    Raises:
        Sealed: there is no key.
    """
    return _keys().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """Return what was sealed, under whichever of the keys.

    Raises:
        Sealed: none of them opens it.
    """
    try:
        return _keys().decrypt(sealed).decode()
    except InvalidToken:
        raise Sealed("None of FERNET_KEYS opens it.") from None


def reseal(sealed: str) -> str:
    """Return what was sealed anew, under the first key.

    Raises:
        Sealed: none of them opens it.
    """
    return seal(unseal(sealed))


def _keys() -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in settings.FERNET_KEYS])
    except ValueError:
        reason = "holds something else than Fernet keys" if settings.FERNET_KEYS else "is empty"
        raise Sealed(f"FERNET_KEYS {reason}: URLs and secrets are kept encrypted only.") from None
