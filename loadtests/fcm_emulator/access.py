"""Access tokens: who gets one (OAuth 2.0 JWT bearer, RFC 7523) and whether a request shows one."""

from __future__ import annotations

import secrets
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import jwt
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from loadtests.fcm_emulator import answers
from loadtests.fcm_emulator.config import Config, OAuthTrust

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_SCOPES = {
    "https://www.googleapis.com/auth/firebase.messaging",
    "https://www.googleapis.com/auth/cloud-platform",
}
_AUDIENCES = (
    "https://oauth2.googleapis.com/token",
    "https://www.googleapis.com/oauth2/v4/token",
)
"""Google's own: what clients name that are redirected by name resolution."""
_MAX_ASSERTION_LIFETIME_S = 3_600
_CLOCK_SKEW_S = 300
_SIGNATURE_ONLY: Any = {
    "verify_exp": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_sub": False,  # older clients of Google's send it as null
}


class Grant(NamedTuple):
    """What an access token is good for."""

    expires_at: float
    """UNIX time."""
    project: str | None
    """The only project that it may send for; None for any."""


class TokenAnswer(NamedTuple):
    """The token endpoint's answer."""

    status: int
    body: bytes


class _InvalidGrantError(Exception):
    pass


class Access:
    """Issues access tokens to service accounts and judges the Authorization of requests."""

    def __init__(self) -> None:
        self._grants: dict[str, Grant] = {}
        self._keys: dict[str, tuple[rsa.RSAPublicKey, str]] = {}

    def register(self, account: dict[str, Any]) -> None:
        """Trust a service account (the dict of its JSON file) from now on."""
        private = serialization.load_pem_private_key(account["private_key"].encode(), None)
        public = private.public_key()
        if not isinstance(public, rsa.RSAPublicKey):
            raise TypeError("a service account's key is an RSA key")
        self._keys[account["client_email"]] = (public, account["project_id"])

    def issue(self, *, project: str | None, now: float, lifetime_s: float) -> str:
        """Return a new access token."""
        token = f"ya29.{secrets.token_urlsafe(48)}"
        self._grants[f"Bearer {token}"] = Grant(now + lifetime_s, project)
        return token

    def revoke_all(self) -> None:
        """Make every access token issued so far worthless."""
        self._grants.clear()

    def refusal(
        self, authorization: str | None, project: str, now: float
    ) -> tuple[int, bytes] | None:
        """Return (status, body) of the refusal of a request; None if it may pass."""
        if not authorization:
            return 401, answers.missing_credentials()
        grant = self._grants.get(authorization)
        if grant is None or grant.expires_at <= now:
            return 401, answers.bad_credentials()
        if grant.project is not None and grant.project != project:
            return 403, answers.permission_denied(project)
        return None

    def exchange(self, form: bytes, *, audience: str, config: Config, now: float) -> TokenAnswer:
        """Answer a request to the token endpoint (form-encoded, RFC 7523 §2.1)."""
        fields = {name: values[0] for name, values in parse_qs(form.decode("latin-1")).items()}
        if fields.get("grant_type") != _GRANT:
            return _oauth_error("unsupported_grant_type", "Invalid grant_type")
        try:
            project = self._owner(fields.get("assertion", ""), audience, config.oauth_trust, now)
        except _InvalidGrantError as exc:
            return _oauth_error("invalid_grant", str(exc))
        token = self.issue(project=project, now=now, lifetime_s=config.oauth_expires_in)
        answer = {
            "access_token": token,
            "expires_in": config.oauth_expires_in,
            "token_type": "Bearer",
        }
        return TokenAnswer(200, orjson.dumps(answer))

    def _owner(self, assertion: str, audience: str, trust: OAuthTrust, now: float) -> str | None:
        """Return the project of the account that signed the assertion; None for any project."""
        try:
            header = jwt.get_unverified_header(assertion)
            claims = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.PyJWTError as exc:
            raise _InvalidGrantError("Invalid JWT.") from exc
        if header.get("alg") != "RS256":
            raise _InvalidGrantError("Invalid JWT: it is to be signed with RS256.")
        _check_claims(claims, audience, now)
        if trust is OAuthTrust.ANY:
            return None
        known = self._keys.get(str(claims.get("iss")))
        if known is None:
            raise _InvalidGrantError("Invalid grant: account not found")
        key, project = known
        try:
            jwt.decode(assertion, key, algorithms=["RS256"], options=_SIGNATURE_ONLY)
        except jwt.PyJWTError as exc:
            raise _InvalidGrantError("Invalid JWT Signature.") from exc
        return project


def _check_claims(claims: dict[str, Any], audience: str, now: float) -> None:
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int | float) or not isinstance(expires, int | float):
        raise _InvalidGrantError("Invalid JWT: iat and exp are required.")
    timely = issued - _CLOCK_SKEW_S <= now < expires + _CLOCK_SKEW_S
    if not timely or expires - issued > _MAX_ASSERTION_LIFETIME_S:
        raise _InvalidGrantError(
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
            "timeframe. Check your iat and exp values in the JWT claim."
        )
    if claims.get("aud") not in (audience, *_AUDIENCES):
        raise _InvalidGrantError("Invalid JWT: Failed audience check.")
    if not _SCOPES & set(str(claims.get("scope", "")).split()):
        raise _InvalidGrantError("Invalid JWT: no scope of Firebase Messaging.")


def _oauth_error(code: str, description: str) -> TokenAnswer:
    return TokenAnswer(400, orjson.dumps({"error": code, "error_description": description}))


def new_service_account(*, project_id: str, token_uri: str) -> dict[str, Any]:
    """Return the dict of a service account's JSON file, with a new RSA key."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    email = f"emulated@{project_id}.iam.gserviceaccount.com"
    return {
        "type": "service_account",
        "project_id": project_id,
        "private_key_id": secrets.token_hex(20),
        "private_key": pem.decode(),
        "client_email": email,
        "client_id": str(secrets.randbelow(10**21)),
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": token_uri,
        "universe_domain": "googleapis.com",
    }
