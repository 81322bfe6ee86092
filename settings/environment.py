"""Reading settings from environment variables, with an error that names the variable."""

from __future__ import annotations

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str | None = None) -> str:
    """Return the variable's value; `<name>_FILE` may name a file that holds it (a secret mount).

    Raises:
        ImproperlyConfigured: neither is set and there is no default.
    """
    if path := os.environ.get(f"{name}_FILE"):
        return Path(path).read_text(encoding="utf-8").strip()
    value = os.environ.get(name, default)
    if value is None:
        message = f"The environment variable {name} is not set (or {name}_FILE, a path to it)."
        raise ImproperlyConfigured(message)
    return value


def integer(name: str, default: int, *, least: int | None = None) -> int:
    """Return the variable as a whole number.

    Raises:
        ImproperlyConfigured: it is set to something else, or below `least`.
    """
    value = os.environ.get(name)
    if value is None:
        return default
    try:
        found = int(value)
    except ValueError:
        message = f"The environment variable {name} must be a whole number, not {value!r}."
        raise ImproperlyConfigured(message) from None
    if least is not None and found < least:
        message = f"The environment variable {name} must be at least {least}, not {found}."
        raise ImproperlyConfigured(message)
    return found


def choice(name: str, *values: str) -> str:
    """Return the variable's value, the first of `values` where it is not set.

    Raises:
        ImproperlyConfigured: it is none of them.
    """
    value = text(name, values[0])
    if value not in values:
        message = f"{name} is {value!r}, not one of {', '.join(values)}."
        raise ImproperlyConfigured(message)
    return value


def number(name: str, default: float) -> float:
    """Return the variable as a number, such as 0.9.

    Raises:
        ImproperlyConfigured: it is set to something else.
    """
    value = os.environ.get(name)
    if value is None:
        return default
    try:
        return float(value)
    except ValueError:
        message = f"The environment variable {name} must be a number, not {value!r}."
        raise ImproperlyConfigured(message) from None


def words(name: str, default: str = "") -> list[str]:
    """Return a comma-separated variable as a list without empty entries."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]
