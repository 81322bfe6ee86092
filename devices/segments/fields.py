"""What rules may ask of a device: each field, its operators, and how their values are read.

ValueRefused  the field is unknown, or the value is none for the operator
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from devices import values
from devices.segments.versions import version_key
from devices.values import ValueRefused

Operators: TypeAlias = Mapping[str, Callable[[object], Any]]
TAGS: Final = "tags."
"""Before the name of a tag, which may have dots of its own."""
MAX_VALUES: Final = 1_000
MAX_USER_IDS: Final = 10_000
"""In one condition; more belong into a list."""
_DURATION: Final = re.compile(r"([1-9][0-9]{0,4})([mhdw])", re.ASCII)
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST: Final = timedelta(days=3_650)
_LARGEST_ID: Final = 2**63 - 1


def operators_of(field: object) -> Operators:
    """Return the field's operators, each with the reader of its value.

    Raises:
        ValueRefused: there is no such field.
    """
    if isinstance(field, str) and field.startswith(TAGS):
        values.text(field.removeprefix(TAGS), longest=values.MAX_TAG_NAME)
        if tag_name(field) != tag_name(field).strip() or not tag_name(field):
            raise ValueRefused("A tag's name must not be empty, or have blanks around it.")
        return _TAG
    if not isinstance(field, str) or field not in _FIELDS:
        raise ValueRefused(f"Must be one of {', '.join(_FIELDS)}, {TAGS}<name>.")
    return _FIELDS[field]


def tag_name(field: str) -> str:
    """Return the name in `tags.<name>`."""
    return field.removeprefix(TAGS)


def _filled(read: Callable[[object], str]) -> Callable[[object], str]:
    """Return a reader that refuses the empty text too: what is not known is asked by `exists`."""

    def read_filled(value: object) -> str:
        stored = read(value)
        if not stored:
            raise ValueRefused("Must not be empty; ask for what is not known by `exists`.")
        return stored

    return read_filled


def _several(read: Callable[[object], Any], *, most: int = MAX_VALUES) -> Callable[[object], Any]:
    """Return a reader of arrays."""

    def read_several(value: object) -> list[Any]:
        if not isinstance(value, list) or not value:
            raise ValueRefused("Must be an array of at least one value.")
        if len(value) > most:
            raise ValueRefused(f"Must not be more than {most} values.")
        return [read(one) for one in value]

    return read_several


def _version(value: object) -> tuple[int, ...]:
    key = version_key(values.app_version(value))
    if key is None:
        raise ValueRefused("Must begin with a number, such as `1.10.2`.")
    return key


def _moment(value: object) -> datetime:
    return values.moment(value, latest=datetime.max.replace(tzinfo=UTC))


def _duration(value: object) -> timedelta:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueRefused("Must be a length of time such as `90m`, `12h`, `30d` or `8w`.")
    length = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if length > _LONGEST:
        raise ValueRefused(f"Must not be longer than {_LONGEST.days} days.")
    return length


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueRefused("Must be a number.")
    if not abs(value) <= values.MAX_TAG_NUMBER:  # written so that NaN is refused too
        raise ValueRefused("Must be a number within ±2^53.")
    return value


def _tag_value(value: object) -> str | float | bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return values.text(value, longest=values.MAX_TAG_TEXT)
    if not isinstance(value, int | float):
        raise ValueRefused("Must be text, a number, true or false.")
    return _number(value)


def _part_of_text(value: object) -> str:
    # Not stripped: blanks may be what is looked for.
    if not isinstance(value, str) or not value:
        raise ValueRefused("Must be text, and not empty.")
    values.text(value, longest=values.MAX_TAG_TEXT)
    return value


def _id(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _LARGEST_ID:
        raise ValueRefused("Must be an id, a whole number.")
    return value


def _equality(read: Callable[[object], Any], *, most: int = MAX_VALUES) -> Operators:
    several = _several(read, most=most)
    return {"eq": read, "ne": read, "in": several, "not_in": several}


_EXISTS: Final[Operators] = {"exists": values.flag}
_TIMES: Final[Operators] = {
    "before": _moment,
    "after": _moment,
    "within_last": _duration,
    "not_within_last": _duration,
}
_FIELDS: Final[Mapping[str, Operators]] = {
    "platform": _equality(values.platform),
    "language": {
        **_equality(_filled(values.language)),
        "matches": _filled(values.language),
        **_EXISTS,
    },
    "country": {**_equality(_filled(values.country)), **_EXISTS},
    "timezone": {**_equality(_filled(values.timezone)), **_EXISTS},
    "app_version": {
        **_equality(_filled(values.app_version)),
        **dict.fromkeys(("lt", "lte", "gt", "gte"), _version),
        **_EXISTS,
    },
    "last_seen_at": _TIMES,
    "created_at": _TIMES,
    "user_id": {**_equality(values.user_id, most=MAX_USER_IDS), "in_list": _id},
}
_TAG: Final[Operators] = {
    **_equality(_tag_value),
    **dict.fromkeys(("lt", "lte", "gt", "gte"), _number),
    "contains": _part_of_text,
    **_EXISTS,
}
INTERNAL_FIELDS: Final[Mapping[str, Operators]] = {"membership": {"member_of": _id}}
"""What only rules put together by us may ask: whether a static segment had the device in it."""
