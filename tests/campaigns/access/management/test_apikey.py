from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from campaigns.access.models import ApiKey
from devices.terminal import ExitCode
from tests.campaigns.access.cast import make_key, make_person, program

pytestmark = pytest.mark.django_db


def told(*words: object) -> str:
    out = StringIO()
    call_command("apikey", *map(str, words), stdout=out, stderr=StringIO())
    return out.getvalue()


def refused(*words: object) -> CommandError:
    with pytest.raises(CommandError) as refusal:
        told(*words)
    return refusal.value


def test_issues_a_key_that_works() -> None:
    owner = make_person("admin")
    words = ["--scope", "devices:read", "--scope", "campaigns:read", "--owner", owner.username]
    issued = json.loads(told("create", "shop", *words, "--days", 90, "--json"))
    assert issued["scopes"] == ["campaigns:read", "devices:read"]
    key = ApiKey.objects.get()
    assert (key.name, key.created_by, key.prefix) == ("shop", owner, issued["prefix"])
    assert key.expires_at is not None
    assert (key.expires_at - key.created_at).days in {89, 90}
    assert program(issued["key"]).get("/api/devices/").status_code == 200


def test_shows_a_new_key_to_people() -> None:
    shown = told("create", "shop", "--scope", "admin", "--owner", make_person().username)
    [line] = [line for line in shown.splitlines() if line.startswith("key")]
    assert program(line.split()[1]).get("/api/devices/").status_code == 200


def test_lists_keys_without_their_secrets() -> None:
    key, text = make_key("devices:read")
    for words in ([], ["--json"]):
        shown = told("list", *words)
        assert key.prefix in shown
        assert "devices:read" in shown
        assert text.partition(".")[2] not in shown
        assert key.hashed_key not in shown


def test_rotates_a_key_and_refuses_a_second_time() -> None:
    old, _ = make_key("devices:read")
    issued = json.loads(told("rotate", old.pk, "--overlap-hours", 2, "--json"))
    assert issued["replaces"] == old.pk
    refusal = refused("rotate", old.pk)
    assert refusal.returncode == ExitCode.REFUSED
    assert str(refusal).startswith(f"The key {old.prefix} was rotated before")


def test_revokes_a_key() -> None:
    key, text = make_key("devices:read")
    assert json.loads(told("revoke", key.pk, "--json"))["state"] == "revoked"
    assert program(text).get("/api/devices/").status_code == 401


@pytest.mark.parametrize("action", ["rotate", "revoke"])
def test_an_unknown_key_has_an_exit_code_of_its_own(action: str) -> None:
    refusal = refused(action, 4711)
    assert (str(refusal), refusal.returncode) == ("There is no API key 4711.", ExitCode.MISSING)


def test_an_unknown_owner_is_told() -> None:
    refusal = refused("create", "shop", "--scope", "admin", "--owner", "nobody-here")
    assert (str(refusal), refusal.returncode) == (
        "There is no user nobody-here.",
        ExitCode.MISSING,
    )
    assert not ApiKey.objects.exists()
