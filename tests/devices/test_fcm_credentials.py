"""`manage.py fcm_credentials`: the service account is in the database, and readable by its key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from pytest_django import Settings

from devices.models import FcmProject
from pushcore.credentials import CredentialsLockedError, load_service_account
from tests.cast import make_project

pytestmark = pytest.mark.django_db

ACCOUNT = {
    "type": "service_account",
    "project_id": "shop",
    "client_email": "push@shop.iam.gserviceaccount.com",
    "private_key": "-----BEGIN PRIVATE KEY-----\nsecret\n",
    "token_uri": "https://oauth2.googleapis.com/token",
}


@pytest.fixture
def key(settings: Settings) -> str:
    key = Fernet.generate_key().decode()
    settings.FERNET_KEYS = [key]
    return key


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "account.json"
    file.write_text(json.dumps(ACCOUNT))
    return file


def stored(project: FcmProject) -> str:
    project.refresh_from_db()
    return project.credentials


def opened(project: FcmProject, *keys: str) -> dict[str, Any]:
    return load_service_account(stored(project), fernet_keys=keys)


def test_encrypt_takes_in_what_the_project_refers_to(
    key: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = make_project(credentials=f"file:{file}")
    call_command("fcm_credentials", "encrypt", project.project_id)
    file.unlink()
    assert opened(project, key) == ACCOUNT
    assert stored(project).startswith("encrypted:")
    assert capsys.readouterr().out == (
        f"The service account of {project.project_id} is in the database, encrypted.\n"
    )


def test_encrypt_can_take_another_file(key: str, file: Path) -> None:
    project = make_project()
    call_command("fcm_credentials", "encrypt", project.project_id, "--from", f"file:{file}")
    assert opened(project, key) == ACCOUNT


def test_rotate_moves_all_that_is_encrypted_to_the_first_key(
    key: str, file: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    projects = [make_project(credentials=f"file:{file}") for _ in range(2)]
    plain = make_project(credentials="env:FCM_KEY")
    for project in projects:
        call_command("fcm_credentials", "encrypt", project.project_id)
    fresh = Fernet.generate_key().decode()
    settings.FERNET_KEYS = [fresh, key]

    call_command("fcm_credentials", "rotate")

    for project in projects:
        assert opened(project, fresh) == ACCOUNT
        with pytest.raises(CredentialsLockedError):
            opened(project, key)
    assert stored(plain) == "env:FCM_KEY"
    assert capsys.readouterr().out.endswith("2 service accounts are under the first key now.\n")


def test_a_project_there_is_not_is_named(key: str) -> None:
    with pytest.raises(CommandError, match=r"^There is no FCM project nowhere\.$"):
        call_command("fcm_credentials", "encrypt", "nowhere")


@pytest.mark.parametrize("keys", [[], ["no-key"]])
def test_without_a_key_nothing_changes(keys: list[str], file: Path, settings: Settings) -> None:
    settings.FERNET_KEYS = keys
    project = make_project(credentials=f"file:{file}")
    with pytest.raises(CommandError):
        call_command("fcm_credentials", "encrypt", project.project_id)
    assert stored(project) == f"file:{file}"


def test_what_none_of_the_keys_opens_stays_as_it_is(
    key: str, file: Path, settings: Settings
) -> None:
    project = make_project(credentials=f"file:{file}")
    call_command("fcm_credentials", "encrypt", project.project_id)
    settings.FERNET_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CommandError, match="none of the keys"):
        call_command("fcm_credentials", "rotate")
    assert opened(project, key) == ACCOUNT
