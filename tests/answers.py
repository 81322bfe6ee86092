"""How the tests read the API's errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def complaints_in(body: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what a validation error complains of: field → sentences, in their order."""
    assert body["type"] == "validation_error", body
    complaints: dict[str, list[str]] = {}
    for error in body["errors"]:
        complaints.setdefault(error["attr"], []).append(error["detail"])
    return complaints


def error_in(body: Mapping[str, Any]) -> tuple[str, str]:
    """Return code and sentence of an error that is the only one."""
    [error] = body["errors"]
    return error["code"], error["detail"]
