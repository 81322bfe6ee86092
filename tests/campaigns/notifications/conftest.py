"""The stage of the notifications' tests: channels, notices, and keys to keep secrets with."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings


@pytest.fixture(autouse=True)
def _keys(settings: Settings) -> None:
    settings.FERNET_KEYS = [Fernet.generate_key().decode()]
    settings.WEBHOOK_PRIVATE_HOSTS = ["127.0.0.1"]
    settings.PUBLIC_URL = "https://push.example.com"
