"""What the examples have in common."""

from __future__ import annotations

from typing import Any, Final

MOMENT: Final = "2026-12-24T09:00:00Z"
ID: Final = "0f8fad5bd9cb469fa16570867728950e"


def answered(value: Any) -> dict[str, Any]:
    """Return the example of what is only ever answered."""
    return {"response": value}


def asked(value: Any) -> dict[str, Any]:
    """Return the example of what is only ever asked."""
    return {"request": value}
