"""Service accounts and their access tokens: one token per process and project, renewed ahead.

CredentialsError
├── CredentialsMissingError      the reference leads to nothing that can be read
├── CredentialsMalformedError    what it leads to is no service account
├── CredentialsLockedError       it is encrypted, and none of the keys opens it
├── TokenRefusedError            the provider refuses the service account: a person has to act
└── TokenUnavailableError        no token could be fetched now: worth trying again

No message and no `repr` here holds key material or a token, and no error is chained to one that
might.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any, Final

import requests
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from google.auth.exceptions import GoogleAuthError, RefreshError
from google.auth.transport.requests import Request
from google.oauth2.service_account import Credentials

SCOPE: Final = "https://www.googleapis.com/auth/firebase.messaging"
RENEW_BEFORE_S: Final = 300.0
"""How long before its end a token is renewed, or half its life, whichever is shorter."""
RETRY_RENEWAL_S: Final = 30.0
"""How long a token that is still good goes on being used after a renewal failed."""

ENCRYPTED_SCHEME: Final = "encrypted:"
_REQUIRED_FIELDS: Final = ("project_id", "client_email", "private_key", "token_uri")


class CredentialsError(Exception):
    """The credentials of an FCM project cannot be used."""


class CredentialsMissingError(CredentialsError):
    """The reference to a service account leads to nothing that can be read."""


class CredentialsMalformedError(CredentialsError):
    """What the reference leads to is no service account."""


class CredentialsLockedError(CredentialsError):
    """The service account is encrypted, and none of the keys opens it."""


class TokenRefusedError(CredentialsError):
    """The provider refuses to give the service account an access token."""


class TokenUnavailableError(CredentialsError):
    """No access token could be fetched."""


def load_service_account(reference: str, *, fernet_keys: Sequence[str] = ()) -> dict[str, Any]:
    """Return the service account (Google's JSON key file as a dict) that `reference` names.

    `file:/path` and `env:NAME` hold the JSON; `encrypted:…` is what `encrypt_service_account`
    returned, opened by any of `fernet_keys`. Raises CredentialsMissingError,
    CredentialsMalformedError or CredentialsLockedError.
    """
    scheme, _, rest = reference.partition(":")
    if scheme == "file":
        return _parsed(_read_file(Path(rest)))
    if scheme == "env":
        return _parsed(_read_variable(rest))
    if scheme == "encrypted":
        try:
            return _parsed(_fernet(fernet_keys).decrypt(rest.encode()))
        except InvalidToken:
            raise CredentialsLockedError("none of the keys opens the service account") from None
    raise CredentialsMalformedError("a reference begins with file:, env: or encrypted:")


def version_of(reference: str) -> int:
    """Return a number that changes when what a `file:` reference leads to is replaced; else 0.

    The other references hold their service account themselves, or in what no running process
    sees change. A file that is not there has version 0: reading it says what is wrong.
    """
    scheme, _, rest = reference.partition(":")
    if scheme != "file":
        return 0
    try:
        return Path(rest).stat().st_mtime_ns
    except OSError:
        return 0


def encrypt_service_account(account: Mapping[str, Any], *, fernet_keys: Sequence[str]) -> str:
    """Return a reference that holds the service account itself, under the first of the keys.

    Raises CredentialsMalformedError where it is none, CredentialsLockedError without a key.
    """
    content = json.dumps(dict(account))
    _parsed(content)
    return ENCRYPTED_SCHEME + _fernet(fernet_keys).encrypt(content.encode()).decode()


def rotate_service_account(reference: str, *, fernet_keys: Sequence[str]) -> str:
    """Return an `encrypted:` reference anew under the first key, whichever of them it was under.

    Raises CredentialsMalformedError for another reference, CredentialsLockedError if none opens it.
    """
    if not reference.startswith(ENCRYPTED_SCHEME):
        raise CredentialsMalformedError("only an encrypted: reference can be rotated")
    token = reference.removeprefix(ENCRYPTED_SCHEME).encode()
    try:
        return ENCRYPTED_SCHEME + _fernet(fernet_keys).rotate(token).decode()
    except InvalidToken:
        raise CredentialsLockedError("none of the keys opens the service account") from None


def _read_file(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as exc:
        raise CredentialsMissingError(f"{path} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError:
        raise CredentialsMalformedError(f"{path} is no JSON") from None


def _read_variable(name: str) -> str:
    if not os.environ.get(name):
        raise CredentialsMissingError(f"the environment variable {name} is not set")
    return os.environ[name]


def _parsed(content: str | bytes) -> dict[str, Any]:
    try:
        account = json.loads(content)
    except ValueError:
        # The cause would carry the whole text.
        raise CredentialsMalformedError("the service account is no JSON") from None
    if not isinstance(account, dict) or account.get("type") != "service_account":
        raise CredentialsMalformedError("the JSON is not that of a service account")
    missing = [name for name in _REQUIRED_FIELDS if not account.get(name)]
    if missing:
        raise CredentialsMalformedError(f"the service account lacks {', '.join(missing)}")
    return account


def _fernet(keys: Sequence[str]) -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        reason = "a key is no Fernet key" if keys else "there is no key to encrypt or decrypt with"
        raise CredentialsLockedError(reason) from None


@dataclass(frozen=True, slots=True)
class _Held:
    """An access token and its times, in seconds since the epoch."""

    value: str = field(repr=False)
    renew_at: float
    expires_at: float


class AccessTokens:
    """The access token of one service account: fetched when first asked for, renewed in time.

    For all threads of one process; to be made after a fork. Renewal happens inside of a call, in
    one of the threads; there is no thread of its own that a fork could lose.

    `account` is the service account's dict, tokens come from its `token_uri`, whose authority is
    looked up in `ca_file` (PEM; None for certifi's). `timeout_s` bounds each try to fetch one.
    `clock` says seconds since the epoch. Raises CredentialsMalformedError where the private key is
    none.
    """

    def __init__(
        self,
        account: Mapping[str, Any],
        *,
        ca_file: str | None = None,
        timeout_s: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        try:
            self._account = Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
                dict(account), scopes=[SCOPE]
            )
        except (ValueError, TypeError, GoogleAuthError):
            reason = "the service account's private key cannot be read"
            raise CredentialsMalformedError(reason) from None
        self._ca_file = ca_file
        self._timeout_s = timeout_s
        self._clock = clock
        self._renewing = threading.Lock()
        self._held: _Held | None = None

    def __repr__(self) -> str:
        return f"<AccessTokens of {self._account.service_account_email}>"

    def current(self) -> str:
        """Return a token that is good for some minutes more.

        Raises TokenRefusedError or TokenUnavailableError, unless the token before it is still good.
        """
        held, now = self._held, self._clock()
        if held is not None and now < held.renew_at:
            return held.value
        # While one thread renews, the others go on with a token that is still good, or wait.
        still_good = held is not None and now < held.expires_at
        if not self._renewing.acquire(blocking=not still_good):
            assert held is not None  # noqa: S101  for the type checker: it is still good
            return held.value
        try:
            return self._renewed(held, now=now)
        finally:
            self._renewing.release()

    def rejected(self, token: str) -> None:
        """Replace a token that the provider answered 401 to.

        Only the first of many calls for the same token fetches a new one. Raises
        TokenRefusedError or TokenUnavailableError; then the next `current` tries again.
        """
        with self._renewing:
            if self._held is not None and self._held.value == token:
                self._held = None
                self._held = self._fetch()

    def _renewed(self, seen: _Held | None, *, now: float) -> str:
        """Return the token that another thread has fetched meanwhile, or fetch one."""
        held = self._held
        if held is None or held is seen:
            try:
                held = self._fetch()
            except CredentialsError:
                if held is None or now >= held.expires_at:
                    raise
                held = _Held(held.value, now + RETRY_RENEWAL_S, held.expires_at)
            self._held = held
        return held.value

    def _fetch(self) -> _Held:
        asked_at = self._clock()
        try:
            # A session for each: they are an hour apart, and no socket outlives a fork.
            with requests.Session() as session:
                session.verify = self._ca_file or True
                # The environment's bundle would override the one given here.
                session.trust_env = self._ca_file is None
                self._account.refresh(_bounded(Request(session), self._timeout_s))
        except RefreshError as exc:
            failure = TokenUnavailableError if exc.retryable else TokenRefusedError
            raise failure(f"the provider gave no access token: {_words(exc)}") from None
        except GoogleAuthError as exc:
            raise TokenUnavailableError(f"no access token: {_words(exc)}") from None
        expires_at = self._account.expiry.replace(tzinfo=UTC).timestamp()
        renew_before_s = min(RENEW_BEFORE_S, (expires_at - asked_at) / 2)
        return _Held(str(self._account.token), expires_at - renew_before_s, expires_at)


def _bounded(request: Request, timeout_s: float) -> Callable[..., Any]:
    """Return `request` with a timeout; google-auth's own is two minutes."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return request(*args, **{**kwargs, "timeout": timeout_s})

    return call


def _words(exc: GoogleAuthError) -> str:
    """Return the provider's or the network's words, which hold no secret, cut to a line."""
    return str(exc.args[0] if exc.args else type(exc).__name__)[:300]
