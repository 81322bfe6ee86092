"""The stage of the notifications' tests: channels, notices, and keys to keep secrets with."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
from apprise import Apprise
from cryptography.fernet import Fernet
from pytest_django import Settings

from tests.campaigns.notifications.receivers import Receiver, running_receiver
from tests.campaigns.notifications.stage import SLACK


@pytest.fixture(autouse=True)
def _keys(settings: Settings) -> None:
    settings.FERNET_KEYS = [Fernet.generate_key().decode()]
    settings.WEBHOOK_PRIVATE_HOSTS = ["127.0.0.1"]
    settings.PUBLIC_URL = "https://push.example.com"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="session", autouse=True)
def _services_are_known() -> None:
    """Let Apprise import its services, of which some import what Python deprecates."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Apprise.instantiate(SLACK)
