"""The JSON of a message → firebase-admin's `messaging.Message`, as a user of the SDK writes it.

What the SDK cannot express is refused by ValueError rather than left out.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from firebase_admin import messaging

_Json = Mapping[str, Any]


def sdk_message(message: _Json) -> messaging.Message:
    """Return the SDK's message; ValueError for what the SDK does not know."""
    with warnings.catch_warnings():
        # `token` is deprecated in favour of `fid`, and accepted for as long as users have tokens.
        warnings.simplefilter("ignore", DeprecationWarning)
        return _made(
            messaging.Message,
            message,
            notification=lambda part: _made(messaging.Notification, part),
            android=_android,
            apns=_apns,
            webpush=_webpush,
            fcm_options=lambda part: _made(messaging.FCMOptions, part),
        )


def _made(kind: Callable[..., Any], part: _Json, /, **converters: Callable[[Any], Any]) -> Any:
    """Return a `kind` of the fields of `part`, each through its converter, where it has one."""
    fields = {
        key: converters[key](value) if key in converters else value for key, value in part.items()
    }
    try:
        return kind(**fields)
    except TypeError as exc:
        raise ValueError(f"firebase-admin cannot express this: {exc}") from exc


def _renamed(part: _Json, names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in part.items()}


def _seconds(duration: str) -> float:
    """Read a JSON duration such as `3600s`."""
    return float(duration.removesuffix("s"))


def _lower(word: str) -> str:
    return word.lower()


def _android(part: _Json) -> messaging.AndroidConfig:
    return _made(
        messaging.AndroidConfig,
        part,
        priority=_lower,
        ttl=_seconds,
        notification=_android_notification,
        fcm_options=lambda options: _made(messaging.AndroidFCMOptions, options),
    )


_ANDROID_NAMES: Final = {
    "notification_priority": "priority",
    "event_time": "event_timestamp",
    "vibrate_timings": "vibrate_timings_millis",
}


def _android_notification(part: _Json) -> messaging.AndroidNotification:
    return _made(
        messaging.AndroidNotification,
        _renamed(part, _ANDROID_NAMES),
        priority=lambda name: name.removeprefix("PRIORITY_").lower(),
        visibility=_lower,
        proxy=_lower,
        event_timestamp=datetime.fromisoformat,
        vibrate_timings_millis=lambda timings: [1000 * _seconds(timing) for timing in timings],
        light_settings=_unknown,
    )


def _unknown(_: Any) -> Any:
    raise ValueError("light_settings are not converted: the SDK takes colours in another form")


def _apns(part: _Json) -> messaging.APNSConfig:
    return _made(
        messaging.APNSConfig,
        part,
        payload=_apns_payload,
        fcm_options=lambda options: _made(messaging.APNSFCMOptions, options),
    )


def _apns_payload(part: _Json) -> messaging.APNSPayload:
    others = {key: value for key, value in part.items() if key != "aps"}
    return messaging.APNSPayload(_aps(part.get("aps", {})), **others)


_APS_FIELDS: Final = {"badge": "badge", "category": "category", "thread-id": "thread_id"}


def _aps(part: _Json) -> messaging.Aps:
    rest = dict(part)
    fields = {name: rest.pop(key) for key, name in _APS_FIELDS.items() if key in rest}
    alert, sound = rest.pop("alert", None), rest.pop("sound", None)
    if isinstance(alert, Mapping):
        alert = messaging.ApsAlert(custom_data=dict(alert))
    if isinstance(sound, Mapping):
        sound = messaging.CriticalSound(
            sound["name"], critical=bool(sound.get("critical")), volume=sound.get("volume")
        )
    return messaging.Aps(alert=alert, sound=sound, custom_data=rest, **fields)


_WEB_NAMES: Final = {
    "dir": "direction",
    "lang": "language",
    "requireInteraction": "require_interaction",
    "timestamp": "timestamp_millis",
}
_WEB_FIELDS: Final = frozenset(inspect.signature(messaging.WebpushNotification).parameters)


def _webpush(part: _Json) -> messaging.WebpushConfig:
    return _made(
        messaging.WebpushConfig,
        part,
        notification=_webpush_notification,
        fcm_options=lambda options: _made(messaging.WebpushFCMOptions, options),
    )


def _webpush_notification(part: _Json) -> messaging.WebpushNotification:
    named = _renamed(part, _WEB_NAMES)
    fields = {key: value for key, value in named.items() if key in _WEB_FIELDS}
    others = {key: value for key, value in named.items() if key not in _WEB_FIELDS}
    return _made(
        messaging.WebpushNotification,
        {**fields, "custom_data": others},
        actions=lambda actions: [
            _made(messaging.WebpushNotificationAction, action) for action in actions
        ],
    )
