"""Campaign content → the JSON of one `messages:send` request (FCM HTTP v1 reference).

A campaign's message is rendered once per variant (platform × kind of address); per device only
the address and the device's id are spliced in::

    template = Template(content, now=now)
    body = template.variant_for(Platform.IOS, AddressKind.TOKEN).render(address, device_id)

`pushcore.validation` finds what the provider would refuse, before anything is sent.

Every message carries one stable id, so that a repeat replaces itself on the device instead of
showing twice: `android.notification.tag`, `apns-collapse-id` and `webpush.notification.tag` are
the campaign's (`pushcore-<campaign>`), `data.pushcore_id` is the campaign's and the device's.
`android.collapse_key` is never set: FCM delays collapsible messages after a burst of 20 per
device, which is no means against duplicates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import orjson

ID_KEY: Final = "pushcore_id"
"""The key in `data` under which an app finds `<campaign>.<device>`."""
LINK_KEY: Final = "link"
"""The key in `data` under which an app finds the link to open, unless the campaign set it."""
MAX_TIME_TO_LIVE_S: Final = 2_419_200
"""28 days, the longest that FCM keeps a message; it refuses to be asked for more."""


class Platform(StrEnum):
    """What kind of device; decides which section of the message is rendered."""

    ANDROID = "android"
    IOS = "ios"
    WEB = "web"

    @property
    def section(self) -> str:
        """The message's section for this platform."""
        return _SECTIONS[self]


_SECTIONS: Final = {Platform.ANDROID: "android", Platform.IOS: "apns", Platform.WEB: "webpush"}


class AddressKind(StrEnum):
    """Which target field of the message an address goes into."""

    TOKEN = "token"  # noqa: S105 -- a field's name, not a password
    """A registration token; deprecated by FCM in favour of `fid`, both are accepted."""
    FID = "fid"
    """A Firebase Installation ID."""


class Priority(StrEnum):
    """How urgent a campaign is, on our side (queue, quota) and on the device's.

    HIGH wakes a sleeping device; NORMAL and LOW let the device save power. The mapping follows
    "Set the priority of a message" in FCM's documentation; LOW differs from NORMAL only where a
    platform knows the difference (web push `Urgency`, RFC 8030 §5.3).
    """

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


_ANDROID_PRIORITY: Final = {
    Priority.HIGH: "HIGH",
    Priority.NORMAL: "NORMAL",
    Priority.LOW: "NORMAL",
}
_APNS_PRIORITY: Final = {Priority.HIGH: "10", Priority.NORMAL: "5", Priority.LOW: "5"}
_URGENCY: Final = {Priority.HIGH: "high", Priority.NORMAL: "normal", Priority.LOW: "low"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a campaign says, before it is anybody's message."""

    campaign_id: int | str
    """Names the campaign on the device; at most 64 bytes with its prefix."""
    title: str
    body: str
    image_url: str = ""
    """An https URL that the device fetches; on iOS the app needs a service extension for it."""
    link_url: str = ""
    """An https URL opened by a click on the web; apps get it as `data.link`."""
    data: Mapping[str, str] = field(default_factory=dict)
    priority: Priority = Priority.NORMAL
    time_to_live_s: int | None = None
    """How long the provider keeps trying, 0…2,419,200 s; None for the provider's own default."""
    expires_at: datetime | None = None
    """The moment (aware) after which it must not be shown; the earlier of both ends counts."""
    platform_overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Merged deep into the sections `android`, `apns`, `webpush`, over what stands there."""
    analytics_label: str = ""

    @property
    def stable_id(self) -> str:
        """The id by which a repeat replaces itself on the device."""
        return f"pushcore-{self.campaign_id}"


class Variant:
    """One rendering of a campaign's message, complete but for address and device id.

    `size_bytes` is the size of the message without its target field.
    """

    __slots__ = ("_head", "_middle", "_tail", "size_bytes")

    def __init__(
        self, *, kind: AddressKind, campaign_id: int | str, message: Mapping[str, Any]
    ) -> None:
        rest = {key: value for key, value in message.items() if key != "data"}
        data = orjson.dumps(message["data"])[1:-1]
        campaign = orjson.dumps(str(campaign_id))[1:-1]
        self._head = b'"message":{"%b":' % kind.encode()
        self._middle = b',"data":{"%b":"%b.' % (ID_KEY.encode(), campaign)
        self._tail = b'"%b},%b}' % (b"," + data if data else b"", orjson.dumps(rest)[1:])
        # A device id has up to 19 digits: the size must hold for all of them.
        self.size_bytes = len(self._middle) + 19 + len(self._tail) - len(b"}")

    def render(self, address: str, device_id: int) -> bytes:
        """Return the request's body for one device; any address is escaped as JSON asks."""
        return b"{%b%b%b%d%b" % (
            self._head,
            orjson.dumps(address),
            self._middle,
            device_id,
            self._tail,
        )

    def render_dry_run(self, address: str, device_id: int) -> bytes:
        """Return the body of the same message to be checked by the provider and not delivered."""
        return b'{"validate_only":true,' + self.render(address, device_id)[1:]


class Template:
    """A campaign's variants, each rendered when first asked for.

    `now` (aware) is when the messages are sent: time to live and expiry count from it.
    """

    def __init__(self, content: Content, *, now: datetime) -> None:
        self.content = content
        self._lifetime_s = lifetime_s(content, now=now)
        self._now = now
        self._variants: dict[tuple[str, str], Variant] = {}

    def variant_for(self, platform: Platform, kind: AddressKind) -> Variant:
        """Return the variant for a platform and kind of address, the same one each time."""
        variant = self._variants.get((platform, kind))
        if variant is None:
            variant = Variant(
                kind=AddressKind(kind),
                campaign_id=self.content.campaign_id,
                message=self.message_for(Platform(platform)),
            )
            self._variants[platform, kind] = variant
        return variant

    def message_for(self, platform: Platform) -> dict[str, Any]:
        """Return the message for a platform as JSON, without target and device id.

        Only that platform's own section is in it: the others would just cost bytes.
        """
        content = self.content
        data = dict(content.data)
        notification = {"title": content.title, "body": content.body}
        if content.image_url:
            notification["image"] = content.image_url
        if content.link_url:
            data.setdefault(LINK_KEY, content.link_url)
        message: dict[str, Any] = {"notification": notification, "data": data}
        if content.analytics_label:
            message["fcm_options"] = {"analytics_label": content.analytics_label}
        overrides = content.platform_overrides.get(platform.section, {})
        message[platform.section] = _BUILDERS[platform](self, overrides)
        return message

    def _android(self, overrides: Mapping[str, Any]) -> dict[str, Any]:
        section: dict[str, Any] = {"priority": _ANDROID_PRIORITY[self.content.priority]}
        if self._lifetime_s is not None:
            section["ttl"] = f"{self._lifetime_s}s"
        tag = {"notification": {"tag": self.content.stable_id}}
        return _merged(_merged(section, overrides), tag)

    def _apns(self, overrides: Mapping[str, Any]) -> dict[str, Any]:
        headers = {"apns-priority": _APNS_PRIORITY[self.content.priority]}
        section: dict[str, Any] = {"headers": headers}
        if self._lifetime_s is not None:
            headers["apns-expiration"] = self._apns_expiration(self._lifetime_s)
        if self.content.image_url:
            # Without it iOS does not wake the extension that fetches the image.
            section["payload"] = {"aps": {"mutable-content": 1}}
        collapse = {"headers": {"apns-collapse-id": self.content.stable_id}}
        return _merged(_merged(section, overrides), collapse)

    def _apns_expiration(self, lifetime_s: int) -> str:
        # "0" is APNs's own word for "now or never"; anything else is seconds since the epoch.
        if lifetime_s == 0:
            return "0"
        return str(math.floor((self._now + timedelta(seconds=lifetime_s)).timestamp()))

    def _webpush(self, overrides: Mapping[str, Any]) -> dict[str, Any]:
        headers = {"Urgency": _URGENCY[self.content.priority]}
        section: dict[str, Any] = {"headers": headers}
        if self._lifetime_s is not None:
            headers["TTL"] = str(self._lifetime_s)
        if self.content.link_url:
            section["fcm_options"] = {"link": self.content.link_url}
        tag = {"notification": {"tag": self.content.stable_id}}
        return _merged(_merged(section, overrides), tag)


_BUILDERS: Final[dict[Platform, Callable[[Template, Mapping[str, Any]], dict[str, Any]]]] = {
    Platform.ANDROID: Template._android,
    Platform.IOS: Template._apns,
    Platform.WEB: Template._webpush,
}


def lifetime_s(content: Content, *, now: datetime) -> int | None:
    """Return for how many seconds from `now` (aware) the message may be delivered; None: no bound.

    The earlier of time to live and expiry counts; 0 means now or never. An expiry farther away than
    FCM keeps anything is as long as it does.
    """
    ends = [] if content.time_to_live_s is None else [content.time_to_live_s]
    if content.expires_at is not None:
        left_s = math.floor((content.expires_at - now).total_seconds())
        ends.append(min(max(0, left_s), MAX_TIME_TO_LIVE_S))
    return min(ends, default=None)


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `over` laid on top: objects are merged key by key, the rest replaced."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            result[key] = _merged(below, value)
        else:
            result[key] = value
    return result
