"""What can become of a message that is sound in itself: the names used in tokens and shares."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum


class Behaviour(StrEnum):
    """How the emulator treats one target; `EFFECTS` says in detail what each one does."""

    OK = "ok"
    """Accepted: 200."""

    UNREGISTERED = "unregistered"
    """404 UNREGISTERED: the app is gone."""
    UNREGISTERED_APNS = "unregistered_apns"
    """404 UNREGISTERED, with the APNs reason (410) beside it."""
    BAD_TOKEN = "bad_token"  # noqa: S105  a name
    """400 INVALID_ARGUMENT that names the field of the address."""
    BAD_TOKEN_BARE = "bad_token_bare"  # noqa: S105  a name
    """400 INVALID_ARGUMENT that names no field."""
    APNS_GONE = "apns_gone"
    """400 INVALID_ARGUMENT with the APNs reason (410)."""
    MISMATCH = "mismatch"
    """403 SENDER_ID_MISMATCH: the address belongs to another project."""
    THIRD_PARTY_AUTH = "third_party_auth"
    """401 THIRD_PARTY_AUTH_ERROR: the APNs or web-push key is refused."""
    PAYLOAD = "payload"
    """400 with a BadRequest on a field other than the address."""
    TOO_BIG = "too_big"
    """400 with no details at all."""

    ODD_CODE = "odd_code"
    """400 with an FcmError of a code that nobody has announced."""
    ODD_TEXT = "odd_text"
    """400 with a mere string under `error`."""
    ODD_HTML = "odd_html"
    """400 with an HTML body."""
    ODD_EMPTY = "odd_empty"
    """400 with no body."""
    ODD_HUGE = "odd_huge"
    """400 with a body of a MiB."""

    UNAVAILABLE = "unavailable"
    """503 the first N times, then ok."""
    INTERNAL = "internal"
    """500 the first N times, then ok."""
    BAD_GATEWAY = "bad_gateway"
    """502 with an HTML body the first N times, then ok."""
    GATEWAY_TIMEOUT = "gateway_timeout"
    """504 with an HTML body the first N times, then ok."""
    QUOTA_PROJECT = "quota_project"
    """429 of the project the first N times, then ok."""
    QUOTA_DEVICE = "quota_device"
    """429 QUOTA_EXCEEDED of the device the first N times, then ok."""

    SLOW = "slow"
    """Accepted: 200, after further milliseconds (the first argument, 5,000 by default)."""
    HANG = "hang"
    """Not accepted and never answered the first N times, then ok."""
    RESET = "reset"
    """Not accepted, the stream reset, the first N times, then ok."""
    REFUSED = "refused"
    """REFUSED_STREAM (surely not processed) the first N times, then ok."""
    GOAWAY = "goaway"
    """GOAWAY with a last stream id below this one's the first N times, then ok."""
    DROP = "drop"
    """Not accepted, the connection closed with all in flight on it, the first N times, then ok."""

    ACCEPT_UNAVAILABLE = "accept_unavailable"
    """Accepted and yet answered 503, each of the first N times, then accepted and answered 200."""
    ACCEPT_HANG = "accept_hang"
    """Accepted and never answered, each of the first N times, then as above."""
    ACCEPT_RESET = "accept_reset"
    """Accepted and the stream reset, each of the first N times, then as above."""
    ACCEPT_DROP = "accept_drop"
    """Accepted and the connection closed, each of the first N times, then as above."""


class WireFault(Enum):
    """What stands in for an answer, or goes with the end of it, on the wire."""

    HANG = "hang"
    RESET = "reset"
    REFUSED = "refused"
    GOAWAY = "goaway"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Effect:
    """What one behaviour does to one message."""

    status: int = 0
    """The HTTP status of the answer; 0 where there is none."""
    fault: WireFault | None = None
    """What happens on the wire instead of an answer."""
    accepts: bool = False
    """Whether the message counts as accepted."""
    passing: bool = False
    """Whether it ends after the first N messages to the same target."""
    reaches: bool = True
    """Whether FCM's own rules let the client take the message for possibly processed."""


EFFECTS: dict[Behaviour, Effect] = {
    Behaviour.OK: Effect(200, accepts=True),
    Behaviour.UNREGISTERED: Effect(404),
    Behaviour.UNREGISTERED_APNS: Effect(404),
    Behaviour.BAD_TOKEN: Effect(400),
    Behaviour.BAD_TOKEN_BARE: Effect(400),
    Behaviour.APNS_GONE: Effect(400),
    Behaviour.MISMATCH: Effect(403),
    Behaviour.THIRD_PARTY_AUTH: Effect(401),
    Behaviour.PAYLOAD: Effect(400),
    Behaviour.TOO_BIG: Effect(400),
    Behaviour.ODD_CODE: Effect(400),
    Behaviour.ODD_TEXT: Effect(400),
    Behaviour.ODD_HTML: Effect(400),
    Behaviour.ODD_EMPTY: Effect(400),
    Behaviour.ODD_HUGE: Effect(400),
    Behaviour.UNAVAILABLE: Effect(503, passing=True),
    Behaviour.INTERNAL: Effect(500, passing=True),
    Behaviour.BAD_GATEWAY: Effect(502, passing=True),
    Behaviour.GATEWAY_TIMEOUT: Effect(504, passing=True),
    Behaviour.QUOTA_PROJECT: Effect(429, passing=True),
    Behaviour.QUOTA_DEVICE: Effect(429, passing=True),
    Behaviour.SLOW: Effect(200, accepts=True),
    Behaviour.HANG: Effect(fault=WireFault.HANG, passing=True),
    Behaviour.RESET: Effect(fault=WireFault.RESET, passing=True),
    Behaviour.REFUSED: Effect(fault=WireFault.REFUSED, passing=True, reaches=False),
    Behaviour.GOAWAY: Effect(fault=WireFault.GOAWAY, passing=True, reaches=False),
    Behaviour.DROP: Effect(fault=WireFault.DROP, passing=True),
    Behaviour.ACCEPT_UNAVAILABLE: Effect(503, accepts=True, passing=True),
    Behaviour.ACCEPT_HANG: Effect(fault=WireFault.HANG, accepts=True, passing=True),
    Behaviour.ACCEPT_RESET: Effect(fault=WireFault.RESET, accepts=True, passing=True),
    Behaviour.ACCEPT_DROP: Effect(fault=WireFault.DROP, accepts=True, passing=True),
}

ALWAYS = 1 << 62
"""The N of a behaviour that never ends."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A behaviour with its arguments, as asked for by one target."""

    behaviour: Behaviour
    times: int = 1
    """How many messages to the target a passing behaviour meets; `ALWAYS` for all."""
    slow_ms: int = 5_000
    """How much later `slow` answers."""
    retry_after_s: int = 0
    """The Retry-After of a 429 or 5xx; 0 leaves it to the configuration."""


EXPLICIT_PREFIX = "e1."
OK_PLAN = Plan(Behaviour.OK)


def explicit_plan(target: str) -> Plan:
    """Return what a target of the form `e1.<behaviour>[.<args>].<id>` asks for.

    The arguments are numbers: milliseconds for `slow`; else N (`always` for ever) and a
    Retry-After in seconds. Raises ValueError for an unknown behaviour or argument.
    """
    name, *rest = target.removeprefix(EXPLICIT_PREFIX).split(".")
    if not rest:
        raise ValueError(f"an explicit target ends in an id of its own: {target!r}")
    return parse_plan(name, rest[:-1])


def parse_plan(name: str, args: list[str]) -> Plan:
    """Return the plan of a behaviour's name and arguments; ValueError as in `explicit_plan`."""
    behaviour = Behaviour(name)
    if behaviour is Behaviour.SLOW:
        return Plan(behaviour, slow_ms=int(args[0])) if args else Plan(behaviour)
    times = 1 if not args else ALWAYS if args[0] == "always" else int(args[0])
    return Plan(behaviour, times=times, retry_after_s=int(args[1]) if len(args) > 1 else 0)
