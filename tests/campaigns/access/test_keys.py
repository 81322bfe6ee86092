from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.backends.postgresql.base import DatabaseWrapper
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from campaigns.access.keys import (
    AlreadyRotated,
    ExpiresInPast,
    KeyNotUsable,
    KeyRefused,
    create_key,
    find_usable_key,
    note_use,
    revoke_key,
    rotate_key,
)
from campaigns.access.models import ApiKey
from campaigns.access.scopes import Scope
from tests.campaigns.access.cast import make_person
from tests.cast import NOW, seconds_later
from tests.concurrency import cut_the_connection, run_at_once

pytestmark = pytest.mark.django_db

DAY_S = 86_400.0


def issue(*, expires_in_s: float | None = None) -> tuple[ApiKey, str]:
    key, text = create_key(
        name="shop",
        scopes=[Scope.DEVICES_WRITE],
        owner=make_person(),
        now=NOW,
        expires_at=None if expires_in_s is None else seconds_later(expires_in_s),
    )
    ApiKey.objects.filter(pk=key.pk).update(created_at=NOW)
    key.refresh_from_db()
    return key, text


def opens(text: str, *, at_s: float = 0) -> bool:
    return find_usable_key(text, now=seconds_later(at_s)) is not None


def test_of_a_key_only_its_hash_is_kept() -> None:
    key, text = issue()
    prefix, _, secret = text.partition(".")
    assert key.prefix == prefix
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(access_apikey)::text FROM access_apikey")
        [[row]] = cursor.fetchall()
    assert secret not in row
    assert key.hashed_key.startswith("sha512$$")


def test_a_key_is_recognised_with_its_owner_in_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    key, text = issue()
    with django_assert_num_queries(1):
        found = find_usable_key(text, now=NOW)
        assert found is not None
        assert (found.pk, found.created_by.username) == (key.pk, "nobody")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-1] + ("a" if text[-1] != "a" else "b"),
        lambda text: text[:8],
        lambda text: text + "a",
        lambda text: "aaaaaaaa" + text[8:],
        lambda text: "\x00" * 8 + text[8:],
        lambda text: "ключключ" + text[8:],
        lambda _: "",
    ],
)
def test_what_is_not_the_key_opens_nothing(spoil: object) -> None:
    _, text = issue()
    assert callable(spoil)
    assert not opens(spoil(text))


def test_the_prefix_of_one_key_with_the_secret_of_another_opens_nothing() -> None:
    (_, one), (_, other) = issue(), issue()
    assert not opens(one[:8] + other[8:])


def test_a_key_opens_nothing_from_its_expiry_on() -> None:
    _, text = issue(expires_in_s=60)
    assert (opens(text, at_s=59.9), opens(text, at_s=60)) == (True, False)


def test_a_key_that_would_have_expired_is_not_issued() -> None:
    with pytest.raises(ExpiresInPast):
        issue(expires_in_s=0)
    assert not ApiKey.objects.exists()


def test_a_key_of_somebody_who_has_left_opens_nothing() -> None:
    key, text = issue()
    key.created_by.is_active = False
    key.created_by.save(update_fields=["is_active"])
    assert not opens(text)


def test_a_revoked_key_opens_nothing_and_keeps_the_moment() -> None:
    key, text = issue()
    revoke_key(key_id=key.pk, now=NOW)
    revoke_key(key_id=key.pk, now=seconds_later(5))
    key.refresh_from_db()
    assert (key.revoked_at, opens(text)) == (NOW, False)


def test_a_rotated_key_works_beside_the_new_one_for_the_overlap_only() -> None:
    old, old_text = issue()
    new, new_text = rotate_key(key_id=old.pk, now=NOW, overlap=timedelta(seconds=60))
    assert (new.replaces, new.name, new.scopes, new.created_by, new.expires_at) == (
        old,
        "shop",
        ["devices:write"],
        old.created_by,
        None,
    )
    assert (opens(old_text, at_s=59), opens(new_text, at_s=59)) == (True, True)
    assert (opens(old_text, at_s=60), opens(new_text, at_s=60)) == (False, True)


def test_a_rotation_never_prolongs_the_old_key() -> None:
    old, _ = issue(expires_in_s=30)
    rotate_key(key_id=old.pk, now=NOW, overlap=timedelta(seconds=60))
    old.refresh_from_db()
    assert old.expires_at == seconds_later(30)


def test_the_new_key_lives_as_long_as_the_old_one_was_given() -> None:
    old, _ = issue(expires_in_s=90 * DAY_S)
    new, _ = rotate_key(key_id=old.pk, now=seconds_later(80 * DAY_S))
    assert new.expires_at == seconds_later(170 * DAY_S)


def test_a_key_is_rotated_once() -> None:
    old, _ = issue()
    rotate_key(key_id=old.pk, now=NOW)
    with pytest.raises(AlreadyRotated):
        rotate_key(key_id=old.pk, now=NOW)
    assert ApiKey.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_of_eight_that_rotate_a_key_at_once_one_does() -> None:
    old, _ = issue()

    def try_to() -> bool:
        try:
            rotate_key(key_id=old.pk, now=NOW)
        except AlreadyRotated:
            return False
        return True

    assert sum(run_at_once(8, try_to)) == 1
    assert ApiKey.objects.count() == 2


def test_what_opens_nothing_is_not_rotated_back_to_life() -> None:
    revoked, _ = issue()
    revoke_key(key_id=revoked.pk, now=NOW)
    expired, _ = issue(expires_in_s=10)
    for key in (revoked, expired):
        with pytest.raises(KeyNotUsable):
            rotate_key(key_id=key.pk, now=seconds_later(10))
    assert ApiKey.objects.count() == 2


def test_use_is_noted_once_a_minute() -> None:
    key, _ = issue()
    seen = []
    for at_s in (0, 30, 59, 60, 61):
        key.refresh_from_db()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            note_use(key, now=seconds_later(at_s))
        key.refresh_from_db()
        seen.append((bool(len(queries)), key.last_used_at))
    assert seen == [
        (True, NOW),
        (False, NOW),
        (False, NOW),
        (True, seconds_later(60)),
        (False, seconds_later(60)),
    ]


def test_a_request_goes_on_where_its_use_cannot_be_noted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    key, _ = issue()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
        note_use(key, now=NOW)
    key.refresh_from_db()
    assert key.last_used_at is None
    assert f"The use of the key {key.prefix} could not be noted" in caplog.text


@pytest.mark.parametrize("scopes", [[], ["campaigns:everything"], ["admin", "root"]])
def test_the_database_knows_the_scopes(scopes: list[str]) -> None:
    with pytest.raises(IntegrityError, match="api_key_scopes_legal"):
        ApiKey.objects.create(
            name="x", prefix="x", hashed_key="x", scopes=scopes, created_by=make_person()
        )


def test_every_refusal_says_why_in_a_sentence() -> None:
    old, _ = issue()
    new, _ = rotate_key(key_id=old.pk, now=NOW)
    with pytest.raises(KeyRefused) as refusal:
        rotate_key(key_id=old.pk, now=NOW)
    words = f"The key {old.prefix} was rotated before, into {new.prefix}."
    assert str(refusal.value) == words


@pytest.mark.django_db(transaction=True)
def test_whether_the_connection_is_alive_is_not_asked_before_a_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ask(_: DatabaseWrapper) -> bool:
        pytest.fail("it costs a round trip of each request")

    _, text = issue()
    monkeypatch.setattr(DatabaseWrapper, "is_usable", ask)
    connection.close_if_unusable_or_obsolete()  # as at the end of the request before
    assert opens(text)


@pytest.mark.django_db(transaction=True)
def test_a_key_is_recognised_although_the_connection_was_lost_before_it() -> None:
    key, text = issue()
    cut_the_connection()
    found = find_usable_key(text, now=NOW)
    assert found is not None
    assert found.pk == key.pk
