"""Service accounts are found and locked away; access tokens are fetched once and renewed ahead."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import certifi
import pytest
from cryptography.fernet import Fernet

from loadtests.fcm_emulator.access import new_service_account
from loadtests.fcm_emulator.process import Emulator
from pushcore.credentials import (
    RENEW_BEFORE_S,
    RETRY_RENEWAL_S,
    AccessTokens,
    CredentialsError,
    CredentialsLockedError,
    CredentialsMalformedError,
    CredentialsMissingError,
    TokenRefusedError,
    TokenUnavailableError,
    encrypt_service_account,
    load_service_account,
    rotate_service_account,
    version_of,
)

Json = dict[str, Any]


class Clock:
    """The real time, moved on by the test."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@pytest.fixture(scope="session")
def account() -> Json:
    return new_service_account(project_id="demo", token_uri="https://127.0.0.1:1/token")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registered(fcm_emulator: Emulator) -> Json:
    return fcm_emulator.control.service_account("demo")


@pytest.fixture
def tokens(fcm_emulator: Emulator, registered: Json, clock: Clock) -> AccessTokens:
    return AccessTokens(registered, ca_file=str(fcm_emulator.ca_file), clock=clock)


@pytest.fixture
def fetched(fcm_emulator: Emulator) -> Callable[[], int]:
    return lambda: int(fcm_emulator.control.stats()["oauth_calls"])


def secrets_of(account: Json) -> list[str]:
    """The lines of the private key's PEM."""
    return [line for line in account["private_key"].splitlines() if len(line) > 20]


# References.


def test_a_file_is_read(account: Json, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(account))
    assert load_service_account(f"file:{path}") == account


def test_an_environment_variable_is_read(account: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FCM_KEY", json.dumps(account))
    assert load_service_account("env:FCM_KEY") == account


def test_what_is_encrypted_comes_back_and_shows_nothing(account: Json) -> None:
    key = Fernet.generate_key().decode()
    reference = encrypt_service_account(account, fernet_keys=[key])
    assert reference.startswith("encrypted:")
    assert not any(line in reference for line in [*secrets_of(account), account["client_email"]])
    assert load_service_account(reference, fernet_keys=[key]) == account


def test_rotation_moves_on_to_the_first_key(account: Json) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    reference = encrypt_service_account(account, fernet_keys=[old])
    rotated = rotate_service_account(reference, fernet_keys=[new, old])
    assert load_service_account(rotated, fernet_keys=[new]) == account
    with pytest.raises(CredentialsLockedError):
        load_service_account(rotated, fernet_keys=[old])


def test_without_the_key_it_stays_locked(account: Json) -> None:
    key, other = (Fernet.generate_key().decode() for _ in range(2))
    reference = encrypt_service_account(account, fernet_keys=[key])
    for keys in ([], [other], ["no Fernet key"]):
        with pytest.raises(CredentialsLockedError):
            load_service_account(reference, fernet_keys=keys)
        with pytest.raises(CredentialsLockedError):
            rotate_service_account(reference, fernet_keys=keys)


def test_only_what_is_encrypted_can_be_rotated() -> None:
    with pytest.raises(CredentialsMalformedError):
        rotate_service_account("env:FCM_KEY", fernet_keys=[Fernet.generate_key().decode()])


@pytest.mark.parametrize("reference", ["file:/no/such/file", "env:NO_SUCH_VARIABLE"])
def test_what_is_missing_is_named(reference: str) -> None:
    with pytest.raises(CredentialsMissingError, match=reference.partition(":")[2]):
        load_service_account(reference)


@pytest.mark.parametrize("reference", ["", "/etc/key.json", "vault:secret"])
def test_an_unknown_kind_of_reference_is_refused_unseen(reference: str) -> None:
    with pytest.raises(CredentialsMalformedError, match="begins with"):
        load_service_account(reference)


@pytest.mark.parametrize(
    "content",
    ["", "no JSON", "[]", '{"type": "authorized_user"}', '{"type": "service_account"}'],
)
def test_what_is_no_service_account_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text(content)
    with pytest.raises(CredentialsMalformedError):
        load_service_account(f"file:{path}")


def test_missing_fields_are_named(account: Json) -> None:
    short = {name: value for name, value in account.items() if name != "token_uri"}
    with pytest.raises(CredentialsMalformedError, match="lacks token_uri"):
        encrypt_service_account(short, fernet_keys=[Fernet.generate_key().decode()])


def test_no_error_shows_key_material(account: Json, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(account)[:-1])
    with pytest.raises(CredentialsMalformedError) as cut_off:
        load_service_account(f"file:{path}")
    with pytest.raises(CredentialsMalformedError) as bad_key:
        AccessTokens({**account, "private_key": account["private_key"][:200]})
    for caught in (cut_off, bad_key):
        assert caught.value.__cause__ is None
        said = "".join(traceback.format_exception(caught.value))
        assert not any(line in said for line in secrets_of(account))


# Access tokens.


def test_a_token_is_fetched_once_and_good_for_sending(
    tokens: AccessTokens, fetched: Callable[[], int]
) -> None:
    assert tokens.current() == tokens.current()
    assert fetched() == 1


def test_a_token_is_renewed_five_minutes_before_its_end(
    tokens: AccessTokens, clock: Clock, fetched: Callable[[], int]
) -> None:
    first = tokens.current()
    clock.ahead_s = 3_600 - RENEW_BEFORE_S - 10
    assert tokens.current() == first
    clock.ahead_s = 3_600 - RENEW_BEFORE_S + 1
    assert tokens.current() != first
    assert fetched() == 2


def test_a_short_lived_token_is_renewed_at_half_its_life(
    fcm_emulator: Emulator, tokens: AccessTokens, clock: Clock, fetched: Callable[[], int]
) -> None:
    fcm_emulator.control.configure(oauth_expires_in=100)
    first = tokens.current()
    clock.ahead_s = 40
    assert tokens.current() == first
    clock.ahead_s = 51
    assert tokens.current() != first
    assert fetched() == 2


def test_many_threads_fetch_one_token(
    fcm_emulator: Emulator, tokens: AccessTokens, fetched: Callable[[], int]
) -> None:
    fcm_emulator.control.configure(oauth_latency_ms=100)
    with ThreadPoolExecutor(20) as pool:
        seen = set(pool.map(lambda _: tokens.current(), range(20)))
    assert len(seen) == 1
    assert fetched() == 1


def test_while_one_thread_renews_the_others_go_on_with_the_old_token(
    fcm_emulator: Emulator, tokens: AccessTokens, clock: Clock
) -> None:
    old = tokens.current()
    fcm_emulator.control.configure(oauth_latency_ms=300)
    clock.ahead_s = 3_600 - RENEW_BEFORE_S + 1
    seen: list[str] = []
    renewing = threading.Thread(target=lambda: seen.append(tokens.current()))
    renewing.start()
    while not tokens._renewing.locked():
        time.sleep(0.001)
    assert tokens.current() == old
    renewing.join()
    assert seen != [old]
    assert tokens.current() == seen[0]


def test_many_rejections_of_one_token_fetch_one_new_one(
    tokens: AccessTokens, fetched: Callable[[], int]
) -> None:
    old = tokens.current()
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: tokens.rejected(old), range(100)))
    assert tokens.current() != old
    assert fetched() == 2


def test_a_rejected_token_of_long_ago_changes_nothing(
    tokens: AccessTokens, fetched: Callable[[], int]
) -> None:
    old = tokens.current()
    tokens.rejected(old)
    now = tokens.current()
    tokens.rejected(old)
    assert tokens.current() == now
    assert fetched() == 2


def test_a_failed_renewal_goes_on_with_a_token_that_is_still_good(
    fcm_emulator: Emulator, tokens: AccessTokens, clock: Clock, fetched: Callable[[], int]
) -> None:
    old = tokens.current()
    fcm_emulator.control.service_account("demo")  # a new key takes the place of the one in use
    clock.ahead_s = 3_600 - RENEW_BEFORE_S + 1
    assert [tokens.current() for _ in range(5)] == [old] * 5
    assert fetched() == 2
    clock.ahead_s += RETRY_RENEWAL_S
    assert tokens.current() == old
    assert fetched() == 3
    clock.ahead_s = 3_601
    with pytest.raises(TokenRefusedError):
        tokens.current()


def test_a_refused_service_account_is_told_in_the_providers_words(
    fcm_emulator: Emulator, tokens: AccessTokens, registered: Json
) -> None:
    fcm_emulator.control.service_account("demo")
    with pytest.raises(TokenRefusedError, match="Invalid JWT Signature") as caught:
        tokens.current()
    assert caught.value.__cause__ is None
    assert not any(line in str(caught.value) for line in secrets_of(registered))


def test_a_refused_renewal_after_a_rejection_is_raised_and_tried_again_later(
    fcm_emulator: Emulator, tokens: AccessTokens
) -> None:
    old = tokens.current()
    fcm_emulator.control.service_account("demo")
    with pytest.raises(TokenRefusedError):
        tokens.rejected(old)
    with pytest.raises(TokenRefusedError):
        tokens.current()


def test_a_token_endpoint_that_is_away_is_worth_another_try(account: Json) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    away = {**account, "token_uri": f"http://127.0.0.1:{port}/token"}
    with pytest.raises(TokenUnavailableError):
        AccessTokens(away).current()


def test_a_token_endpoint_that_nobody_vouches_for_gets_no_assertion(
    registered: Json, fetched: Callable[[], int]
) -> None:
    with pytest.raises(CredentialsError):
        AccessTokens(registered, ca_file=certifi.where()).current()
    assert fetched() == 0


def test_its_repr_names_the_account_and_shows_no_secret(
    tokens: AccessTokens, registered: Json
) -> None:
    token = tokens.current()
    shown = repr(tokens) + repr(vars(tokens))
    assert registered["client_email"] in repr(tokens)
    assert token not in shown
    assert not any(line in shown for line in secrets_of(registered))


def test_a_reference_has_another_version_once_its_file_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    reference = f"file:{file}"
    assert version_of(reference) == 0

    file.write_text("{}")
    before = version_of(reference)
    os.utime(file, ns=(before + 1, before + 1))

    assert version_of(reference) == before + 1


@pytest.mark.parametrize("reference", ["env:NAME", "encrypted:abc"])
def test_what_cannot_change_under_a_reference_has_no_version(reference: str) -> None:
    assert version_of(reference) == 0
