"""What an error answer of the provider says, reduced to what decides.

Google's error model (AIP-193) is `{"error": {"code", "message", "status", "details": [...]}}`, but
between us and FCM stand gateways, proxies and captive portals: any body at all can be read here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from pushcore.transports.base import Answer

MAX_DETAIL_CHARS: Final = 500
"""No more of the provider's words is kept with an outcome."""

_LONG_RUN: Final = re.compile(r"[A-Za-z0-9_:-]{20,}")


class ProviderError(NamedTuple):
    """An error answer; what is absent or no text is empty or 0."""

    http: int
    readable: bool
    """Whether it is Google's error envelope at all."""
    status: str
    fcm_code: str
    """FcmError.errorCode."""
    apns_status: int
    apns_reason: str
    fields: frozenset[str]
    """The paths of the request that a BadRequest complains of."""
    reason: str
    """ErrorInfo.reason."""
    words: str
    """The message to people, or the raw body where there is none; bounded, without secrets."""
    raw: str
    """The body as it came; bounded, without secrets."""

    @classmethod
    def read(cls, answer: Answer) -> ProviderError:
        """Read an answer's body, which may be anything at all."""
        parsed = parsed_json(answer.body)
        error = parsed.get("error") if isinstance(parsed, dict) else None
        envelope = error if isinstance(error, dict) else {}
        by_type = _details(envelope.get("details"))
        apns = by_type.get("ApnsError", {})
        apns_status = apns.get("statusCode")
        raw = bounded_words(answer.body.decode("utf-8", "replace"))
        message = _text(envelope.get("message"))
        return cls(
            http=answer.status,
            readable=bool(envelope),
            status=_text(envelope.get("status")),
            fcm_code=_text(by_type.get("FcmError", {}).get("errorCode")),
            apns_status=apns_status if isinstance(apns_status, int) else 0,
            apns_reason=_text(apns.get("reason")),
            fields=_violated_fields(by_type.get("BadRequest", {})),
            reason=_text(by_type.get("ErrorInfo", {}).get("reason")),
            words=bounded_words(message) if message else raw,
            raw=raw,
        )


def parsed_json(body: bytes) -> object:
    """Return what the JSON says, None where it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def bounded_words(text: str) -> str:
    """Return the text cut to `MAX_DETAIL_CHARS`, without what could be an address or a token."""
    return _LONG_RUN.sub(_hidden, text[: 2 * MAX_DETAIL_CHARS])[:MAX_DETAIL_CHARS]


def _hidden(run: re.Match[str]) -> str:
    # Addresses and bearer tokens have a digit somewhere; the names of errors have none.
    return "[redacted]" if any(char.isdigit() for char in run[0]) else run[0]


def _details(details: object) -> dict[str, dict[str, Any]]:
    """Return the details by the last part of their `@type`; the first of each type counts."""
    found: dict[str, dict[str, Any]] = {}
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict):
            found.setdefault(_text(detail.get("@type")).rpartition(".")[2], detail)
    return found


def _violated_fields(bad_request: Mapping[str, Any]) -> frozenset[str]:
    violations = bad_request.get("fieldViolations")
    found = violations if isinstance(violations, list) else ()
    return frozenset(_text(v.get("field")) for v in found if isinstance(v, dict))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
