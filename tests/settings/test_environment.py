from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from settings import environment


def test_a_number_is_read_and_has_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.number("QUOTA_SHARE_TEST", 0.9) == 0.9
    monkeypatch.setenv("QUOTA_SHARE_TEST", "0.75")
    assert environment.number("QUOTA_SHARE_TEST", 0.9) == 0.75


def test_what_is_no_number_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUOTA_SHARE_TEST", "most")
    with pytest.raises(ImproperlyConfigured, match="QUOTA_SHARE_TEST must be a number, not 'most'"):
        environment.number("QUOTA_SHARE_TEST", 0.9)


def test_a_number_below_its_bound_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATIENCE_TEST", "9")
    assert environment.integer("PATIENCE_TEST", 15, least=9) == 9
    with pytest.raises(ImproperlyConfigured, match="PATIENCE_TEST must be at least 10, not 9"):
        environment.integer("PATIENCE_TEST", 15, least=10)


def test_a_choice_is_the_first_unless_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.choice("WAY_TEST", "short", "long") == "short"
    monkeypatch.setenv("WAY_TEST", "long")
    assert environment.choice("WAY_TEST", "short", "long") == "long"
    monkeypatch.setenv("WAY_TEST", "none")
    with pytest.raises(ImproperlyConfigured, match="WAY_TEST is 'none', not one of short"):
        environment.choice("WAY_TEST", "short", "long")


def test_the_provider_is_given_the_ten_seconds_that_google_asks_for() -> None:
    started = subprocess.run(
        [sys.executable, "-c", "import settings.base"],
        env=os.environ | {"FCM_TIMEOUT_S": "9"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "FCM_TIMEOUT_S must be at least 10, not 9." in started.stderr
    assert settings.FCM_TIMEOUT_S == 15
