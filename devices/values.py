"""How each value of a device is written: one reader per field.

A reader takes a JSON value (or a file's text) and returns it as it is stored.

    ValueRefused  the value breaks its field's rule; the text says which
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

import orjson

from devices.places import country_code, is_timezone, language_tag
from pushcore.messages import AddressKind, Platform

MAX_ADDRESS: Final = 4_096
MAX_USER_ID: Final = 255
MAX_APP_VERSION: Final = 64
MAX_TAGS: Final = 50
MAX_TAG_NAME: Final = 64
MAX_TAG_TEXT: Final = 255
MAX_TAG_NUMBER: Final = 2**53
"""Up to here every program that reads JSON sees the same whole number (RFC 8259 §6)."""
EMPTY: Final = "Must not be empty."
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_RFC3339: Final = re.compile(
    r"20\d\d-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-](0\d|1[0-4]):[0-5]\d)", re.ASCII
)
_PLATFORMS: Final = frozenset(one.value for one in Platform)
_KINDS: Final = frozenset(one.value for one in AddressKind)


class ValueRefused(Exception):
    """The value breaks its field's rule."""


def text(value: object, *, longest: int) -> str:
    """Return a text without blanks around it.

    Raises:
        ValueRefused: no text, too long, or something in it that PostgreSQL cannot hold.
    """
    if not isinstance(value, str):
        raise ValueRefused("Must be text.")
    stripped = value.strip()
    if len(stripped) > longest:
        raise ValueRefused(f"Must not be longer than {longest} characters.")
    if not stripped.isprintable():
        if "\0" in stripped:
            raise ValueRefused("Must not contain the character NUL.")
        if _SURROGATES.search(stripped):
            raise ValueRefused("Must not contain half of a surrogate pair.")
    return stripped


def user_id(value: object) -> str:
    """Return the application's own id of a user: any text but an empty one."""
    given = text(value, longest=MAX_USER_ID)
    if not given:
        raise ValueRefused(EMPTY)
    return given


def address(value: object) -> str:
    """Return an address: FCM's are of letters, digits and `-_:`, so blanks mean a mishap."""
    given = text(value, longest=MAX_ADDRESS)
    if not given:
        raise ValueRefused(EMPTY)
    if " " in given or not given.isascii() or not given.isprintable():
        raise ValueRefused("Must be of printable ASCII characters without blanks.")
    return given


def platform(value: object) -> str:
    """Return the platform."""
    return _one_of(value, _PLATFORMS)


def address_kind(value: object) -> str:
    """Return which of the provider's target fields the address is for."""
    return _one_of(value, _KINDS)


def language(value: object) -> str:
    """Return a BCP 47 tag in its usual writing, or nothing."""
    given = text(value, longest=35)
    tag = language_tag(given) if given else ""
    if tag is None:
        raise ValueRefused("Must be a language tag such as `en`, `pt-BR` or `zh-Hant`.")
    return tag


def country(value: object) -> str:
    """Return an ISO 3166-1 code in capitals, or nothing."""
    given = text(value, longest=64)
    code = country_code(given) if given else ""
    if code is None:
        raise ValueRefused("Must be a country's two-letter code (ISO 3166-1), such as `DE`.")
    return code


def timezone(value: object) -> str:
    """Return a name of the IANA database, or nothing."""
    given = text(value, longest=64)
    if given and not is_timezone(given):
        raise ValueRefused("Must be a time zone's name, such as `Europe/Bucharest` (IANA).")
    return given


def app_version(value: object) -> str:
    """Return the app's version as the app writes it."""
    return text(value, longest=MAX_APP_VERSION)


def tags(value: object) -> str:
    """Return the tags as JSON: names to texts, numbers, true or false.

    A text is taken for JSON itself: that is how a file gives tags.
    """
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise ValueRefused("Must be a JSON object.") from None
    if not isinstance(value, dict):
        raise ValueRefused("Must be an object of names and values.")
    if len(value) > MAX_TAGS:
        raise ValueRefused(f"Must not be more than {MAX_TAGS} tags.")
    for name, inner in value.items():
        _check_tag(name, inner)
    return orjson.dumps(value).decode()


def flag(value: object) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise ValueRefused("Must be true or false.")
    return value


def moment(value: object, *, latest: datetime) -> datetime:
    """Return a moment since 2000 and not after `latest`, written with its offset (RFC 3339)."""
    given = text(value, longest=64)
    try:
        if not _RFC3339.fullmatch(given):
            raise ValueError(given)
        read = datetime.fromisoformat(given.upper())
    except ValueError:
        message = "Must be a time since 2000, written as 2026-01-31T12:00:00Z (RFC 3339)."
        raise ValueRefused(message) from None
    if read > latest:
        raise ValueRefused("Must not lie in the future.")
    return read


def _one_of(value: object, choices: frozenset[str]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise ValueRefused(f"Must be one of {', '.join(sorted(choices))}.")
    return value


def _check_tag(name: object, value: object) -> None:
    """Refuse a tag's name or value that is too large, or no single value."""
    if not text(name, longest=MAX_TAG_NAME):
        raise ValueRefused("A tag's name must not be empty.")
    try:
        if isinstance(value, str):
            text(value, longest=MAX_TAG_TEXT)
        elif not isinstance(value, bool | int | float):
            raise ValueRefused("Must be text, a number, true or false.")
        elif not abs(value) <= MAX_TAG_NUMBER:  # written so that NaN is refused too
            raise ValueRefused("Must be a number within ±2^53.")
    except ValueRefused as refusal:
        raise ValueRefused(f"{name}: {refusal}") from None
