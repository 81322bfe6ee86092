"""Which requests mean what."""

from __future__ import annotations

import pytest

from loadtests.fcm_emulator.routes import is_token_request


@pytest.mark.parametrize("path", ["/token", "/oauth2/v4/token"])
def test_access_tokens_are_asked_for_at_both_of_googles_paths(path: str) -> None:
    assert is_token_request("POST", path)
    assert not is_token_request("GET", path)


def test_a_message_is_no_request_for_an_access_token() -> None:
    assert not is_token_request("POST", "/v1/projects/demo/messages:send")
