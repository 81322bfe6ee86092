"""What the provider would refuse in a campaign's content, found before anything is sent.

    problems = validate(content, now=now)      # [] where nothing is wrong
    size = largest_size_bytes(content, now=now)

Nothing is fetched and nobody is asked: the rules are those of the FCM HTTP v1 reference and of
APNs. The `validate_only` canary asks the provider itself, for all that stands in no document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import orjson

from pushcore.messages import (
    ID_KEY,
    MAX_TIME_TO_LIVE_S,
    AddressKind,
    Content,
    Platform,
    Template,
)

MAX_PAYLOAD_BYTES: Final = 4_096
MAX_COLLAPSE_ID_BYTES: Final = 64
"""The longest `apns-collapse-id` (APNs: "Sending notification requests")."""
RESERVED_KEYS: Final = frozenset({"from", "message_type"})
RESERVED_PREFIXES: Final = ("google", "gcm")
_ANALYTICS_LABEL: Final = re.compile(r"[a-zA-Z0-9\-_.~%]{1,50}")
_SECTIONS: Final = frozenset(platform.section for platform in Platform)
# The stable ids win over any override, so an override of one would silently do nothing.
_OURS: Final = (
    ("android", "collapse_key"),
    ("android", "notification", "tag"),
    ("apns", "headers", "apns-collapse-id"),
    ("webpush", "notification", "tag"),
)


class Problem(NamedTuple):
    """One thing that would be refused."""

    field: str
    """The field of the content, with the key inside it where that helps: `data.from`."""
    code: str
    """Stable: `required`, `type`, `reserved`, `range`, `url`, `format`, `too_large`, `unknown`."""
    message: str
    """A sentence for the person who wrote the content."""


def validate(content: Content, *, now: datetime) -> list[Problem]:
    """Return every problem of the content, in the order of its fields; none where it is sound.

    `now` (aware) is when it would be sent. Sizes are looked at once the rest is right.
    """
    problems = [
        *_texts(content),
        *_urls(content),
        *_data("data", content.data),
        *_times(content),
        *_overrides(content.platform_overrides),
        *_labels(content),
    ]
    return problems or list(_size(content, now=now))


def largest_size_bytes(content: Content, *, now: datetime) -> int:
    """Return the size of the largest of the content's variants in bytes.

    FCM says "4,096 bytes" without saying of what. Counted is the compact UTF-8 JSON of all of
    `message` but its target field: no less than any reading of that rule, so what passes here is
    never refused as too large.

    Raises:
        orjson.JSONEncodeError: the content holds something that is no JSON.

    """
    template = Template(content, now=now)
    return max(template.variant_for(p, AddressKind.TOKEN).size_bytes for p in Platform)


def _texts(content: Content) -> Iterator[Problem]:
    texts: tuple[tuple[str, object], ...] = (("title", content.title), ("body", content.body))
    for name, value in texts:
        if not isinstance(value, str):
            yield Problem(name, "type", f"The {name} must be text.")
        elif not value.strip():
            yield Problem(name, "required", f"The {name} is empty: nothing would be shown.")


def _urls(content: Content) -> Iterator[Problem]:
    for name, value in (("image_url", content.image_url), ("link_url", content.link_url)):
        if value and not _is_https_url(value):
            yield Problem(name, "url", "It must be an absolute https:// URL without spaces.")


def _is_https_url(value: object) -> bool:
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        return False
    try:
        parts = urlsplit(value)
        _ = parts.port  # reading it is what checks it
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname)


def _data(where: str, data: object) -> Iterator[Problem]:
    if not isinstance(data, Mapping):
        yield Problem(where, "type", "It must be an object of texts.")
        return
    for key, value in data.items():
        if not isinstance(key, str) or not key:
            yield Problem(where, "type", "Every key must be a text that is not empty.")
        elif key in RESERVED_KEYS or key.startswith(RESERVED_PREFIXES):
            yield Problem(f"{where}.{key}", "reserved", f"FCM keeps the key “{key}” for itself.")
        elif key == ID_KEY:
            yield Problem(f"{where}.{key}", "reserved", f"The engine itself sets “{key}”.")
        elif not isinstance(value, str):
            yield Problem(f"{where}.{key}", "type", "FCM takes only texts as values of data.")


def _times(content: Content) -> Iterator[Problem]:
    ttl: object = content.time_to_live_s
    if ttl is None:
        return
    if not isinstance(ttl, int) or isinstance(ttl, bool):
        yield Problem("time_to_live_s", "type", "It must be a whole number of seconds.")
    elif not 0 <= ttl <= MAX_TIME_TO_LIVE_S:
        yield Problem("time_to_live_s", "range", f"It must be from 0 to {MAX_TIME_TO_LIVE_S} s.")


def _overrides(overrides: object) -> Iterator[Problem]:
    if not isinstance(overrides, Mapping):
        yield Problem("platform_overrides", "type", "It must be an object of sections.")
        return
    for name, section in overrides.items():
        where = f"platform_overrides.{name}"
        if name not in _SECTIONS:
            known = ", ".join(sorted(_SECTIONS))
            yield Problem(where, "unknown", f"There is no such section: it must be of {known}.")
        elif not isinstance(section, Mapping):
            yield Problem(where, "type", "A section must be an object.")
        else:
            yield from _data(f"{where}.data", section.get("data", {}))
    for path in _OURS:
        if _holds(overrides, path):
            where = ".".join(("platform_overrides", *path))
            yield Problem(where, "reserved", "The engine sets it, so that repeats replace it.")


def _holds(value: Any, path: tuple[str, ...]) -> bool:
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return False
        value = value[key]
    return True


def _labels(content: Content) -> Iterator[Problem]:
    label = content.analytics_label
    if label and not (isinstance(label, str) and _ANALYTICS_LABEL.fullmatch(label)):
        yield Problem("analytics_label", "format", "It must be 1–50 of: letters, digits, -_.~%")
    if len(content.stable_id.encode()) > MAX_COLLAPSE_ID_BYTES:
        yield Problem("campaign_id", "too_large", "APNs takes a collapse id of at most 64 bytes.")


def _size(content: Content, *, now: datetime) -> Iterator[Problem]:
    try:
        size = largest_size_bytes(content, now=now)
    except orjson.JSONEncodeError as exc:
        yield Problem("content", "type", f"It cannot be written as JSON: {exc}.")
        return
    if size > MAX_PAYLOAD_BYTES:
        message = f"The message is {size} bytes, FCM takes {MAX_PAYLOAD_BYTES}."
        yield Problem("content", "too_large", message)
