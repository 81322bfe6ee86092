"""The shape of a `messages:send` request (FCM HTTP v1 reference), and how JSON is held to it.

As in Google's JSON mapping of protocol buffers, a field may be written in snake_case or in
lowerCamelCase, null stands for an absent field, and an unknown field is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

Problem = tuple[str, str]
"""(path of the field at fault as Google names it, description)."""
Check = Callable[[Any, str], Iterator[Problem]]

_DURATION = re.compile(r"-?\d{1,12}(\.\d{1,9})?s")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


def _wrong(path: str, kind: str, value: object) -> Problem:
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return path, f"Invalid value at '{path}' ({kind}), {shown}"


def string(value: Any, path: str) -> Iterator[Problem]:
    """Take a string."""
    if not isinstance(value, str):
        yield _wrong(path, "TYPE_STRING", value)


def boolean(value: Any, path: str) -> Iterator[Problem]:
    """Take true or false."""
    if not isinstance(value, bool):
        yield _wrong(path, "TYPE_BOOL", value)


def integer(value: Any, path: str) -> Iterator[Problem]:
    """Take a 32-bit integer, as a number or in a string."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not re.fullmatch(r"-?\d{1,10}", text) or abs(int(text)) >= 2**31:
        yield _wrong(path, "TYPE_INT32", value)


def number(value: Any, path: str) -> Iterator[Problem]:
    """Take any number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield _wrong(path, "TYPE_FLOAT", value)


def duration(value: Any, path: str) -> Iterator[Problem]:
    """Take seconds with an `s` behind, such as `3.5s`."""
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        yield _wrong(path, "type.googleapis.com/google.protobuf.Duration", value)


def timestamp(value: Any, path: str) -> Iterator[Problem]:
    """Take an RFC 3339 time."""
    if not isinstance(value, str) or not _TIMESTAMP.fullmatch(value):
        yield _wrong(path, "type.googleapis.com/google.protobuf.Timestamp", value)


def struct(value: Any, path: str) -> Iterator[Problem]:
    """Take any JSON object."""
    if not isinstance(value, dict):
        yield _wrong(path, "type.googleapis.com/google.protobuf.Struct", value)


def string_map(value: Any, path: str) -> Iterator[Problem]:
    """Take an object whose values are strings."""
    if not isinstance(value, dict):
        yield _wrong(path, "Map", value)
        return
    for index, entry in enumerate(value.values()):
        if not isinstance(entry, str):
            yield _wrong(f"{path}[{index}].value", "TYPE_STRING", entry)


def listed(check: Check) -> Check:
    """Take an array of what `check` takes."""

    def check_list(value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, list):
            yield _wrong(path, "Array", value)
            return
        for index, entry in enumerate(value):
            yield from check(entry, f"{path}[{index}]")

    return check_list


def enum(type_name: str, *names: str) -> Check:
    """Take one of the names."""

    def check_enum(value: Any, path: str) -> Iterator[Problem]:
        if value not in names:
            yield _wrong(path, f"type.googleapis.com/google.firebase.fcm.v1.{type_name}", value)

    return check_enum


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def record(**checks: Check) -> Check:
    """Take an object of these fields and no others."""
    names = {spelling: n for n in checks for spelling in (n, _camel(n))}

    def check_record(value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield _wrong(path, "Object", value)
            return
        for key, entry in value.items():
            name = names.get(key)
            if name is None:
                where = f" at '{path}'" if path else ""
                problem = f'Unknown name "{key}"{where}: Cannot find field.'
                yield path or key, f"Invalid JSON payload received. {problem}"
            elif entry is not None:
                yield from checks[name](entry, f"{path}.{name}" if path else name)

    return check_record


_notification = record(title=string, body=string, image=string)
_label = record(analytics_label=string)
_light = record(
    color=record(red=number, green=number, blue=number, alpha=number),
    light_on_duration=duration,
    light_off_duration=duration,
)
_android_notification = record(
    title=string,
    body=string,
    icon=string,
    color=string,
    sound=string,
    tag=string,
    click_action=string,
    body_loc_key=string,
    body_loc_args=listed(string),
    title_loc_key=string,
    title_loc_args=listed(string),
    channel_id=string,
    ticker=string,
    sticky=boolean,
    event_time=timestamp,
    local_only=boolean,
    notification_priority=enum(
        "AndroidNotification.NotificationPriority",
        "PRIORITY_UNSPECIFIED",
        "PRIORITY_MIN",
        "PRIORITY_LOW",
        "PRIORITY_DEFAULT",
        "PRIORITY_HIGH",
        "PRIORITY_MAX",
    ),
    default_sound=boolean,
    default_vibrate_timings=boolean,
    default_light_settings=boolean,
    vibrate_timings=listed(duration),
    visibility=enum(
        "AndroidNotification.Visibility", "VISIBILITY_UNSPECIFIED", "PRIVATE", "PUBLIC", "SECRET"
    ),
    notification_count=integer,
    light_settings=_light,
    image=string,
    bypass_proxy_notification=boolean,
    proxy=enum(
        "AndroidNotification.Proxy",
        "PROXY_UNSPECIFIED",
        "ALLOW",
        "DENY",
        "IF_PRIORITY_LOWERED",
    ),
)
_android = record(
    collapse_key=string,
    priority=enum("AndroidConfig.AndroidMessagePriority", "NORMAL", "HIGH", "normal", "high"),
    ttl=duration,
    restricted_package_name=string,
    data=string_map,
    notification=_android_notification,
    fcm_options=_label,
    direct_boot_ok=boolean,
    bandwidth_constrained_ok=boolean,
    restricted_satellite_ok=boolean,
)
_apns = record(
    headers=string_map,
    payload=struct,
    fcm_options=record(analytics_label=string, image=string),
    live_activity_token=string,
)
_webpush = record(
    headers=string_map,
    data=string_map,
    notification=struct,
    fcm_options=record(link=string, analytics_label=string),
)
_message = record(
    name=string,
    data=string_map,
    notification=_notification,
    android=_android,
    webpush=_webpush,
    apns=_apns,
    fcm_options=_label,
    fid=string,
    token=string,
    topic=string,
    condition=string,
)
_request = record(validate_only=boolean, message=_message)


def problems(document: Any) -> list[Problem]:
    """Return what in a parsed request does not fit the schema, in the order of its fields."""
    if not isinstance(document, dict):
        return [("", "Invalid JSON payload received. The root is not an object.")]
    return list(_request(document, ""))
