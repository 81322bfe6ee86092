"""Fields from flags and files, checked by the API's own rules."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from django.core.management.base import CommandError
from rest_framework.serializers import BaseSerializer

from devices.terminal import ExitCode

MAX_FILE_BYTES = 16 << 20
"""A campaign with 100,000 user ids is a tenth of it."""


def given(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flags that somebody typed."""
    return {name: value for name, value in flags.items() if value is not None}


def fields_of(path: Path) -> dict[str, Any]:
    """Read a file of fields; JSON is YAML, too.

    Raises:
        CommandError: it can't be read, or holds something else.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise CommandError(f"{path} is larger than {MAX_FILE_BYTES >> 20} MiB.")
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        message = f"{path} can't be read: {error}"
        raise CommandError(message, returncode=ExitCode.REFUSED) from error
    if not isinstance(fields, dict):
        raise CommandError(f"{path} must hold fields and their values.")
    return fields


def checked(serializer: BaseSerializer[Any]) -> dict[str, Any]:
    """Return what the serializer made of its data.

    Raises:
        CommandError: with each field and the reason.
    """
    if not serializer.is_valid():
        raise CommandError("\n".join(_reasons(serializer.errors)), returncode=ExitCode.REFUSED)
    return dict(serializer.validated_data)


def _reasons(errors: Any, path: str = "") -> list[str]:
    if isinstance(errors, dict):
        return [
            reason
            for name, inner in errors.items()
            for reason in _reasons(inner, f"{path}.{name}" if path else str(name))
        ]
    if any(isinstance(one, dict) for one in errors):
        return [reason for one in errors for reason in _reasons(one, path)]
    return [f"{path}: {one}" for one in errors]
