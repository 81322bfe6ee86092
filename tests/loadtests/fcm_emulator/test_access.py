"""Who gets an access token."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import jwt
import orjson
import pytest

from loadtests.fcm_emulator.access import Access, TokenAnswer, new_service_account
from loadtests.fcm_emulator.config import Config, OAuthTrust
from loadtests.fcm_emulator.judge import Judge

NOW = 1_800_000_000.0
AUDIENCE = "https://127.0.0.1:1/token"


@pytest.fixture(scope="module")
def account() -> dict[str, Any]:
    return new_service_account(project_id="demo", token_uri=AUDIENCE)


def form(account: dict[str, Any], *, algorithm: str = "RS256", **claims: Any) -> bytes:
    claims = {
        "iss": account["client_email"],
        "scope": "https://www.googleapis.com/auth/firebase.messaging",
        "aud": AUDIENCE,
        "iat": int(NOW),
        "exp": int(NOW) + 3_600,
        **claims,
    }
    key = account["private_key"] if algorithm == "RS256" else "k" * 64
    assertion = jwt.encode(claims, key, algorithm=algorithm)
    grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    return urlencode({"grant_type": grant, "assertion": assertion}).encode()


def exchange(
    body: bytes, *accounts: dict[str, Any], trust: OAuthTrust = OAuthTrust.REGISTERED
) -> tuple[Access, TokenAnswer]:
    access = Access()
    for account in accounts:
        access.register(account)
    config = Config(oauth_trust=trust, oauth_expires_in=100)
    return access, access.exchange(body, audience=AUDIENCE, config=config, now=NOW)


def test_a_registered_account_gets_a_token_for_its_project_and_time(
    account: dict[str, Any],
) -> None:
    access, answer = exchange(form(account), account)

    given = orjson.loads(answer.body)
    bearer = f"Bearer {given['access_token']}"
    assert (answer.status, given["expires_in"], given["token_type"]) == (200, 100, "Bearer")
    assert access.refusal(bearer, "demo", NOW + 99) is None
    assert (access.refusal(bearer, "demo", NOW + 100) or ())[:1] == (401,)
    assert (access.refusal(bearer, "another", NOW) or ())[:1] == (403,)


@pytest.mark.parametrize(
    "audience",
    ["https://oauth2.googleapis.com/token", "https://www.googleapis.com/oauth2/v4/token"],
)
def test_an_assertion_may_be_meant_for_google(account: dict[str, Any], audience: str) -> None:
    _, answer = exchange(form(account, aud=audience), account)

    assert answer.status == 200


def test_an_assertion_may_name_nobody_to_act_for(account: dict[str, Any]) -> None:
    _, answer = exchange(form(account, sub=None), account)

    assert answer.status == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(NOW) - 301},
        {"iat": int(NOW) + 301, "exp": int(NOW) + 3_000},
        {"exp": int(NOW) + 3_601},
        {"aud": "https://elsewhere/token"},
        {"scope": "https://www.googleapis.com/auth/drive"},
        {"iss": "nobody@demo.iam.gserviceaccount.com"},
        {"algorithm": "HS256"},
    ],
)
def test_a_faulty_assertion_is_an_invalid_grant(
    account: dict[str, Any], claims: dict[str, Any]
) -> None:
    _, answer = exchange(form(account, **claims), account)

    assert answer.status == 400
    assert orjson.loads(answer.body)["error"] == "invalid_grant"


def test_a_forged_signature_is_an_invalid_grant_unless_anyone_is_trusted(
    account: dict[str, Any],
) -> None:
    forger = new_service_account(project_id="demo", token_uri=AUDIENCE)

    _, refused = exchange(form(forger), account)
    _, taken = exchange(form(forger), account, trust=OAuthTrust.ANY)

    assert orjson.loads(refused.body)["error_description"] == "Invalid JWT Signature."
    assert taken.status == 200


@pytest.mark.parametrize("body", [b"", b"grant_type=password", b"\xff=\xff"])
def test_another_grant_type_is_unsupported(body: bytes) -> None:
    _, answer = exchange(body)

    assert (answer.status, orjson.loads(answer.body)["error"]) == (400, "unsupported_grant_type")


def test_token_requests_can_be_made_to_fail_a_number_of_times(account: dict[str, Any]) -> None:
    judge = Judge(Config(oauth_fail_next=2), clock=lambda: NOW)
    judge.access.register(account)

    answers = [judge.token(form(account), audience=AUDIENCE).status for _ in range(3)]

    assert answers == [503, 503, 200]
    assert judge.ledger.oauth_calls == 3
