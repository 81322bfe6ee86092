from __future__ import annotations

import pytest
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
