"""The provider's answer → what became of the device, as one pure function.

`verdict = judge(answer, now=time.time())` never raises, whatever the answer is.

The rules are those of Google's "FCM error codes" and "Error handling" (AIP-193). An answer is
read in one order: `FcmError.errorCode`, `ApnsError.statusCode`, `BadRequest.fieldViolations`,
`ErrorInfo.reason`, the status, the HTTP code. Its message text decides nothing: it may change any
day. What is not known is quarantined as FAILED with the raw body, and deactivates nobody.
"""

from __future__ import annotations

import re
from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

import orjson

from pushcore.provider_error import ProviderError, bounded_words, parsed_json
from pushcore.retry_after import parse_retry_after_s
from pushcore.transports.base import Answer, Fault


class Outcome(IntEnum):
    """What became of one device in one campaign. Stored in the ledger: never renumber."""

    PENDING = 0
    """Not settled: not tried yet, or to be tried again. The only state that anything leaves."""
    SUCCESS = 1
    """Accepted by the provider (which is not yet: shown on the device)."""
    INVALID_TOKEN = 2
    """Refused because the address is dead; the device is deactivated. Counts as a failure."""
    FAILED = 3
    """Refused for good, or given up on after refusals that surely reached nobody."""
    UNKNOWN = 4
    """May or may not have been accepted, and will not be tried again."""
    SKIPPED = 5
    """Never sent: cancelled, expired, or inactive by the time its turn came."""

    @property
    def is_failure(self) -> bool:
        """Whether it counts into `failure_count`."""
        return self in (Outcome.INVALID_TOKEN, Outcome.FAILED)


class Trouble(StrEnum):
    """What an answer says about more than its own device: the breakers listen to these."""

    NONE = "none"
    PAYLOAD = "payload"
    """The message itself is refused, whoever it is for: the campaign fails."""
    PROJECT = "project"
    """The project is refused (IAM, API disabled, wrong project): its campaigns pause."""
    ACCESS_TOKEN = "access_token"  # noqa: S105 -- names a trouble, no password
    """Our access token is refused: refresh once, a second time pauses the project."""
    PLATFORM = "platform"
    """One platform's key (APNs, web push) is broken: that platform's devices fail."""
    PROJECT_QUOTA = "project_quota"
    """The project's quota is used up: every worker of the project waits."""
    DEVICE_QUOTA = "device_quota"
    """The device gets too many messages: it alone waits."""
    MISMATCH = "mismatch"
    """The address belongs to another sender; a high share of these pauses the project."""


class Verdict(NamedTuple):
    """What one answer means, before any policy: `pushcore.retry` makes a decision of it."""

    outcome: Outcome
    """The final outcome; PENDING where it is worth trying again."""
    code: str = ""
    """A stable, short code of the reason (`UNREGISTERED`, `TIMEOUT`); "" for success."""
    message_id: str = ""
    """The provider's message id, where accepted: the part after `messages/`."""
    ambiguous: bool = False
    """Whether the provider may have accepted the message in spite of this answer."""
    retry_now: bool = False
    """Whether the message surely never reached the provider, so that no waiting is asked for."""
    retry_after_s: float | None = None
    """The provider's Retry-After in seconds from now, where it sent one."""
    trouble: Trouble = Trouble.NONE
    """What the answer says about project, platform or payload."""
    detail: str = ""
    """The provider's own words (bounded), kept for refusals that are not self-explaining."""


_MAX_MESSAGE_ID_CHARS: Final = 256
_CODE: Final = re.compile(r"[A-Za-z0-9_]{1,64}")
_TARGET_FIELDS: Final = frozenset({"message.token", "message.fid"})

# The payload is at fault, not the address (APNs: "Handling error responses").
_APNS_PAYLOAD_REASONS: Final = frozenset(
    {"BadCollapseId", "BadExpirationDate", "BadPriority", "PayloadEmpty", "PayloadTooLarge"}
)

_STATUS_CODES: Final = {
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 500,
    "UNKNOWN": 500,
    "INTERNAL": 500,
    "ABORTED": 503,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""google.rpc.Code by name → the HTTP code whose treatment it gets."""


def judge(answer: Answer, *, now: float) -> Verdict:
    """Return what an answer means for its device and beyond; never raises.

    `now` is the time of the answer in seconds since the epoch, for a Retry-After that is a date.
    """
    if answer.status == 200:
        return _judge_success(answer.body)
    if answer.fault is not None or answer.status == 0:
        return _FAULTS[answer.fault or Fault.BROKEN]
    error = ProviderError.read(answer)
    verdict = _judge_fcm(error) if error.fcm_code else _judge_google(error)
    if answer.retry_after is not None and verdict.outcome is Outcome.PENDING:
        return verdict._replace(retry_after_s=parse_retry_after_s(answer.retry_after, now=now))
    return verdict


_FAULTS: Final = {
    Fault.NEVER_SENT: Verdict(Outcome.PENDING, "NEVER_SENT", retry_now=True),
    Fault.TIMEOUT: Verdict(Outcome.PENDING, "TIMEOUT", ambiguous=True),
    Fault.BROKEN: Verdict(Outcome.PENDING, "CONNECTION_BROKEN", ambiguous=True),
}


def message_id_of(body: bytes) -> str:
    """Return the id in `{"name": "projects/<project>/messages/<id>"}`; "" where it is not that."""
    try:
        name = orjson.loads(body)["name"]
    except (ValueError, TypeError, LookupError):
        return ""
    if not isinstance(name, str):
        return ""
    return name.partition("/messages/")[2][:_MAX_MESSAGE_ID_CHARS]


def _judge_success(body: bytes) -> Verdict:
    message_id = message_id_of(body)
    if message_id:
        return Verdict(Outcome.SUCCESS, "", message_id)
    if body.lstrip()[:1] in (b"", b"{") and parsed_json(body) is None:
        # Cut off on its way: 200 was said, and a second message is worse than a lost id.
        return Verdict(Outcome.SUCCESS)
    # Whoever answered this was not FCM as we know it: accepted or not, nobody can tell.
    detail = bounded_words(body.decode("utf-8", "replace"))
    return Verdict(Outcome.PENDING, "NO_MESSAGE_ID", ambiguous=True, detail=detail)


_FCM: Final = {
    "UNREGISTERED": Verdict(Outcome.INVALID_TOKEN, "UNREGISTERED"),
    "SENDER_ID_MISMATCH": Verdict(Outcome.FAILED, "SENDER_ID_MISMATCH", trouble=Trouble.MISMATCH),
    "QUOTA_EXCEEDED": Verdict(Outcome.PENDING, "QUOTA_EXCEEDED", trouble=Trouble.DEVICE_QUOTA),
    "UNAVAILABLE": Verdict(Outcome.PENDING, "UNAVAILABLE", ambiguous=True),
    "INTERNAL": Verdict(Outcome.PENDING, "INTERNAL", ambiguous=True),
}
"""FcmError.errorCode → its verdict, where nothing else matters."""


def _judge_fcm(error: ProviderError) -> Verdict:
    """Judge an answer that carries an FcmError: it is about this message."""
    known = _FCM.get(error.fcm_code)
    if known is not None:
        return known
    if error.fcm_code == "INVALID_ARGUMENT":
        return _judge_invalid_argument(error)
    if error.fcm_code in ("THIRD_PARTY_AUTH_ERROR", "APNS_AUTH_ERROR"):
        return _refused("THIRD_PARTY_AUTH_ERROR", Trouble.PLATFORM, error)
    if error.http >= 500:
        return Verdict(Outcome.PENDING, _code(error), ambiguous=True, detail=error.raw)
    return _quarantined(error)


def _judge_invalid_argument(error: ProviderError) -> Verdict:
    """Tell a bad address from a bad payload: both are INVALID_ARGUMENT."""
    if error.apns_status == 410:
        return Verdict(Outcome.INVALID_TOKEN, "UNREGISTERED")
    if error.apns_reason in _APNS_PAYLOAD_REASONS or error.fields - _TARGET_FIELDS:
        return _refused("INVALID_ARGUMENT", Trouble.PAYLOAD, error)
    if error.apns_reason:
        # BadDeviceToken may as well be an APNs key of the other environment: no proof of death.
        return _refused("APNS_REJECTED", Trouble.NONE, error)
    return Verdict(Outcome.INVALID_TOKEN, "INVALID_ARGUMENT")


def _judge_google(error: ProviderError) -> Verdict:
    """Judge an answer without an FcmError: it is about project, quota, payload or the way there."""
    if error.apns_status == 410:
        return Verdict(Outcome.INVALID_TOKEN, "UNREGISTERED")
    if error.fields:
        if error.fields <= _TARGET_FIELDS:
            return Verdict(Outcome.INVALID_TOKEN, "INVALID_ARGUMENT")
        return _refused("INVALID_ARGUMENT", Trouble.PAYLOAD, error)
    if error.reason == "RATE_LIMIT_EXCEEDED":
        return Verdict(Outcome.PENDING, "RATE_LIMIT_EXCEEDED", trouble=Trouble.PROJECT_QUOTA)
    return _judge_code(_STATUS_CODES.get(error.status, error.http), error)


def _judge_code(code: int, error: ProviderError) -> Verdict:
    """Judge by the HTTP code (or the status's): no detail said anything."""
    if code >= 500 or code == 408:
        return Verdict(Outcome.PENDING, _code(error), ambiguous=True)
    if code == 429:
        return Verdict(Outcome.PENDING, _code(error), trouble=Trouble.PROJECT_QUOTA)
    if code == 401:
        return _waiting(Trouble.ACCESS_TOKEN, error)
    if code in (403, 404) or 300 <= code < 400:
        # Nobody at FCM looked at the device: a wrong project, no permission, or a portal between.
        return _waiting(Trouble.PROJECT, error)
    if code == 400 and error.readable:
        return _refused("INVALID_ARGUMENT", Trouble.PAYLOAD, error)
    return _quarantined(error)


def _refused(code: str, trouble: Trouble, error: ProviderError) -> Verdict:
    return Verdict(Outcome.FAILED, code, trouble=trouble, detail=error.words)


def _quarantined(error: ProviderError) -> Verdict:
    """Fail what nobody knows how to read, with the whole of it for people to look at."""
    return Verdict(Outcome.FAILED, _code(error), detail=error.raw)


def _waiting(trouble: Trouble, error: ProviderError) -> Verdict:
    return Verdict(Outcome.PENDING, _code(error), trouble=trouble, detail=error.words)


def _code(error: ProviderError) -> str:
    """Return a short stable code, whatever stands in the answer."""
    said = error.fcm_code or error.reason or error.status
    return said if _CODE.fullmatch(said) else f"HTTP_{error.http}"
