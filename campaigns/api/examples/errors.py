"""Errors, by their HTTP status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from campaigns.api.examples.parts import ID


def _error(kind: str, code: str, detail: str, attr: str | None = None, **more: Any) -> Any:
    error = {"code": code, "detail": detail, "attr": attr}
    return {"type": kind, "errors": [error], **more, "request_id": ID}


_CLIENT: Final = "client_error"

ERRORS: Final[Mapping[str, Any]] = {
    "400": _error("validation_error", "required", "This field is required.", "title"),
    "401": _error(_CLIENT, "not_authenticated", "Authentication credentials were not provided."),
    "403": _error(_CLIENT, "permission_denied", "It takes the scope `campaigns:send`."),
    "404": _error(_CLIENT, "not_found", "There is no such campaign."),
    "405": _error(_CLIENT, "method_not_allowed", 'Method "TRACE" not allowed.'),
    "406": _error(_CLIENT, "not_acceptable", "Could not satisfy the request Accept header."),
    "409": _error(
        _CLIENT,
        "illegal_move",
        "Cannot send a campaign that is processing; allowed now: cancel, pause.",
        campaign_status="processing",
        allowed_moves=["cancel", "pause"],
    ),
    "412": _error(
        _CLIENT,
        "precondition_failed",
        "It was changed since the version that If-Match names. Read it again, then change it.",
    ),
    "413": _error(
        _CLIENT,
        "too_large",
        "The body has more than 8388608 bytes, which is all that is taken.",
    ),
    "415": _error(
        _CLIENT, "unsupported_media_type", 'Unsupported media type "text/plain" in request.'
    ),
    "422": _error(
        _CLIENT,
        "idempotency_key_reused",
        "Another request was made under this key, of which this is no repetition.",
    ),
    "429": _error(_CLIENT, "throttled", "Request was throttled. Expected available in 12 seconds."),
    "500": _error("server_error", "error", "Server Error (500)"),
}
