"""FCM's rules for a message that fits the schema: one target, keys, lifetimes, sizes.

Sources: the FCM HTTP v1 reference and "Build app server send requests" (limits on payloads,
keys, topics), RFC 8030 (web push TTL and Urgency), Apple's "Sending notification requests to APNs".
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import orjson

from loadtests.fcm_emulator import answers

Json = dict[str, Any]

TARGETS = ("token", "fid", "topic", "condition")
MAX_PAYLOAD_BYTES = 4_096
MAX_TOPIC_PAYLOAD_BYTES = 2_048
MAX_TTL_S = 2_419_200
MAX_COLLAPSE_ID_BYTES = 64
MAX_CONDITION_TOPICS = 5

_LABEL = re.compile(r"[a-zA-Z0-9\-_.~%]{1,50}")
_TOPIC = re.compile(r"(/topics/)?[a-zA-Z0-9\-_.~%]{1,900}")
_RESERVED_KEYS = ("from", "message_type")
_RESERVED_STARTS = ("google", "gcm")
_CAMEL = {"fcm_options": "fcmOptions", "analytics_label": "analyticsLabel"}
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


class Refusal(NamedTuple):
    """A 400 for a message that breaks a rule."""

    body: bytes
    problem: str
    """What the statistics call it."""


class _RuleBrokenError(Exception):
    def __init__(self, field: str, problem: str, body: bytes | None = None) -> None:
        super().__init__(problem)
        self.refusal = Refusal(body or answers.invalid_argument(field, problem), field or problem)


def target_of(message: Json) -> tuple[str, str] | Refusal:
    """Return (kind, address) of a message that has exactly one target, else its refusal."""
    named = [(kind, message[kind]) for kind in TARGETS if message.get(kind) is not None]
    if len(named) != 1:
        problem = (
            "Recipient of the message is not set."
            if not named
            else "Exactly one of token, fid, topic and condition names the recipient."
        )
        return Refusal(answers.invalid_argument("message", problem), "message")
    kind, address = named[0]
    if not address.strip() or len(address) > MAX_PAYLOAD_BYTES:
        problem = f"Invalid {kind}."
        return Refusal(answers.invalid_argument(f"message.{kind}", problem), f"message.{kind}")
    return kind, address


def broken_rule(message: Json, kind: str) -> Refusal | None:
    """Return the refusal of the first rule that a message to this kind of target breaks."""
    try:
        _check_topics(message, kind)
        _check_data(message)
        _check_android(_part(message, "android"))
        _check_apns(_part(message, "apns"))
        _check_webpush(_part(message, "webpush"))
        _check_labels(message)
        _check_size(message, kind)
    except _RuleBrokenError as exc:
        return exc.refusal
    return None


def _part(parent: Json, name: str) -> Json:
    """Return a sub-object in either spelling, empty where absent."""
    return _value(parent, name) or {}


def _value(parent: Json, name: str) -> Any:
    found = parent.get(name)
    return parent.get(_CAMEL[name]) if found is None and name in _CAMEL else found


def _check_topics(message: Json, kind: str) -> None:
    if kind == "topic" and not _TOPIC.fullmatch(message["topic"]):
        raise _RuleBrokenError("message.topic", "Malformed topic name.")
    if kind == "condition":
        topics = re.findall(r"'([^']*)' in topics", message["condition"])
        if not 1 <= len(topics) <= MAX_CONDITION_TOPICS:
            raise _RuleBrokenError("message.condition", "Invalid condition expression provided.")


def _check_data(message: Json) -> None:
    for owner, path in (
        (message, "message"),
        (_part(message, "android"), "message.android"),
        (_part(message, "webpush"), "message.webpush"),
    ):
        for key in _part(owner, "data"):
            if key in _RESERVED_KEYS or key.startswith(_RESERVED_STARTS):
                raise _RuleBrokenError(f"{path}.data", f"Invalid data payload key: {key}")


def _check_android(android: Json) -> None:
    ttl = android.get("ttl")
    if ttl is not None and not 0 <= float(ttl[:-1]) <= MAX_TTL_S:
        raise _RuleBrokenError(
            "message.android.ttl", f"Invalid ttl: it must lie within 0 and {MAX_TTL_S} seconds."
        )
    color = _part(android, "notification").get("color")
    if color is not None and not _COLOR.fullmatch(color):
        raise _RuleBrokenError(
            "message.android.notification.color", "Invalid color: it must be #rrggbb."
        )


def _check_apns(apns: Json) -> None:
    headers = {name.lower(): value for name, value in _part(apns, "headers").items()}
    path = "message.apns.headers"
    if headers.get("apns-priority", "10") not in ("1", "5", "10"):
        raise _RuleBrokenError(path, "Invalid apns-priority: it is 1, 5 or 10.")
    if len(headers.get("apns-collapse-id", "").encode()) > MAX_COLLAPSE_ID_BYTES:
        raise _RuleBrokenError(path, "Invalid apns-collapse-id: it is over 64 bytes.")
    if not headers.get("apns-expiration", "0").isdecimal():
        raise _RuleBrokenError(path, "Invalid apns-expiration: it is a UNIX time in seconds.")


def _check_webpush(webpush: Json) -> None:
    headers = {name.lower(): value for name, value in _part(webpush, "headers").items()}
    path = "message.webpush.headers"
    if not headers.get("ttl", "0").isdecimal() or int(headers.get("ttl", "0")) > MAX_TTL_S:
        raise _RuleBrokenError(path, f"Invalid TTL: it must lie within 0 and {MAX_TTL_S}.")
    if headers.get("urgency", "normal") not in ("very-low", "low", "normal", "high"):
        raise _RuleBrokenError(path, "Invalid Urgency.")
    link = _part(webpush, "fcm_options").get("link")
    if link is not None and not link.startswith(("https://", "http://localhost")):
        raise _RuleBrokenError(
            "message.webpush.fcm_options.link", "Invalid link: HTTPS is required."
        )


def _check_labels(message: Json) -> None:
    for owner, path in (
        (message, "message"),
        (_part(message, "android"), "message.android"),
        (_part(message, "apns"), "message.apns"),
        (_part(message, "webpush"), "message.webpush"),
    ):
        label = _value(_part(owner, "fcm_options"), "analytics_label")
        if label is not None and not _LABEL.fullmatch(label):
            raise _RuleBrokenError(
                f"{path}.fcm_options.analytics_label", "Invalid analytics label."
            )


def payload_bytes(message: Json) -> dict[str, int]:
    """Return the bytes of payload per platform, as compact JSON without address and options.

    FCM does not publish how it counts; this counts what reaches the device on each platform:
    data and notification, the platform's own over the common ones.
    """
    data, notification = _part(message, "data"), _part(message, "notification")
    android, webpush = _part(message, "android"), _part(message, "webpush")
    sizes = {}
    for name, part in (("Android", android), ("Web push", webpush)):
        shown = {**notification, **_part(part, "notification")}
        # Keys and values count, FCM says; the JSON around them is the nearest fair measure.
        sizes[name] = _size(_part(part, "data") or data) + _size(shown)
    sizes["APNs"] = (
        _size(data) + _size(notification) + _size(_part(_part(message, "apns"), "payload"))
    )
    return sizes


def _size(part: Json) -> int:
    return len(orjson.dumps(part)) if part else 0


def _check_size(message: Json, kind: str) -> None:
    limit = MAX_TOPIC_PAYLOAD_BYTES if kind in ("topic", "condition") else MAX_PAYLOAD_BYTES
    for platform, size in payload_bytes(message).items():
        if size > limit:
            raise _RuleBrokenError("", "too big", answers.payload_too_big(platform, limit))
