"""The bodies of FCM's answers, in Google's error model (AIP-193, FCM HTTP v1 reference)."""

from __future__ import annotations

from typing import Any

import orjson

from loadtests.fcm_emulator.behaviours import Behaviour

Detail = dict[str, Any]

JSON_TYPE = "application/json; charset=UTF-8"
HTML_TYPE = "text/html; charset=UTF-8"

_UNAUTHENTICATED = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie "
    "or other valid authentication credential. "
    "See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
_INVALID = "Request contains an invalid argument."
_MALFORMED = "The registration token is not a valid FCM registration token"
_HUGE_BYTES = 1 << 20


def error(code: int, status: str, message: str, details: list[Detail] | None = None) -> bytes:
    """Return an error's body; `details` is left out where there are none."""
    envelope: dict[str, Any] = {"code": code, "message": message, "status": status}
    if details:
        envelope["details"] = details
    return orjson.dumps({"error": envelope}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def fcm_error(code: str) -> Detail:
    """Return the detail that carries FCM's own error code."""
    return {"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}


def apns_error(status: int, reason: str) -> Detail:
    """Return the detail that carries what APNs answered."""
    return {
        "@type": "type.googleapis.com/google.firebase.fcm.v1.ApnsError",
        "statusCode": status,
        "reason": reason,
    }


def bad_request(violations: list[tuple[str, str]]) -> Detail:
    """Return the detail that names the fields at fault: (path, description) each."""
    return {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": f, "description": d} for f, d in violations],
    }


def invalid_json(problem: str, field: str | None) -> bytes:
    """Return the 400 of a body that does not fit the schema; it carries no FcmError."""
    details = [bad_request([(field, problem)])] if field is not None else None
    return error(400, "INVALID_ARGUMENT", problem, details)


def invalid_argument(field: str, problem: str) -> bytes:
    """Return the 400 of a well-formed message that FCM's rules forbid."""
    details = [fcm_error("INVALID_ARGUMENT"), bad_request([(field, problem)])]
    return error(400, "INVALID_ARGUMENT", problem, details)


def payload_too_big(target: str, limit: int) -> bytes:
    """Return the 400 of a payload over the limit (bytes): no details at all."""
    return error(
        400, "INVALID_ARGUMENT", f"Message is too big: {target} payloads hold {limit} bytes."
    )


def missing_credentials() -> bytes:
    """Return the 401 of a request without an access token."""
    return error(401, "UNAUTHENTICATED", _UNAUTHENTICATED, [_auth_info("CREDENTIALS_MISSING")])


def bad_credentials() -> bytes:
    """Return the 401 of an unknown, expired or revoked access token."""
    return error(
        401, "UNAUTHENTICATED", _UNAUTHENTICATED, [_auth_info("ACCESS_TOKEN_TYPE_UNSUPPORTED")]
    )


def _auth_info(reason: str) -> Detail:
    return {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": {
            "service": "fcm.googleapis.com",
            "method": "google.firebase.fcm.v1.FcmService.SendMessage",
        },
    }


def permission_denied(project: str) -> bytes:
    """Return the 403 of a caller that may not send for this project: no FcmError."""
    message = (
        "Permission 'cloudmessaging.messages.create' denied on resource "
        f"'//cloudresourcemanager.googleapis.com/projects/{project}' (or it may not exist)."
    )
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "IAM_PERMISSION_DENIED",
        "domain": "cloudresourcemanager.googleapis.com",
        "metadata": {
            "resource": f"projects/{project}",
            "permission": "cloudmessaging.messages.create",
        },
    }
    return error(403, "PERMISSION_DENIED", message, [info])


def project_not_found() -> bytes:
    """Return the 404 of a project that does not exist: no FcmError."""
    return error(404, "NOT_FOUND", "Requested entity was not found.")


def project_quota(project: str, limit: int) -> bytes:
    """Return the 429 of a used-up quota of `limit` messages per minute: no FcmError."""
    message = (
        "Quota exceeded for quota metric 'Send requests' and limit 'Send requests per minute' of "
        f"service 'fcm.googleapis.com' for consumer 'projects/{project}'."
    )
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "RATE_LIMIT_EXCEEDED",
        "domain": "googleapis.com",
        "metadata": {
            "consumer": f"projects/{project}",
            "quota_limit": "SendsPerMinutePerProject",
            "quota_limit_value": str(limit),
            "quota_location": "global",
            "quota_metric": "fcm.googleapis.com/send_requests",
            "quota_unit": "1/min/{project}",
            "service": "fcm.googleapis.com",
        },
    }
    link = {
        "description": "Request a higher quota limit.",
        "url": "https://cloud.google.com/docs/quotas/help/request_increase",
    }
    more = {"@type": "type.googleapis.com/google.rpc.Help", "links": [link]}
    return error(429, "RESOURCE_EXHAUSTED", message, [info, more])


def _html(code: int, title: str) -> bytes:
    return (
        f"<!DOCTYPE html>\n<html lang=en>\n<title>Error {code} ({title})!!1</title>\n"
        f"<p><b>{code}.</b> That’s an error.\n"
    ).encode()


def of_behaviour(behaviour: Behaviour, kind: str) -> bytes:
    """Return the body with which a behaviour refuses a target of this kind (`token`, `fid`…)."""
    if behaviour is Behaviour.BAD_TOKEN:
        return _MALFORMED_BODIES[kind]
    return _BODIES[behaviour]


_GONE = apns_error(410, "Unregistered")
_MALFORMED_BODIES = {
    kind: error(
        400,
        "INVALID_ARGUMENT",
        _MALFORMED,
        [fcm_error("INVALID_ARGUMENT"), bad_request([(f"message.{kind}", _MALFORMED)])],
    )
    for kind in ("token", "fid", "topic", "condition")
}
_UNAVAILABLE_BODY = error(
    503, "UNAVAILABLE", "The service is currently unavailable.", [fcm_error("UNAVAILABLE")]
)
_BODIES: dict[Behaviour, bytes] = {
    Behaviour.UNREGISTERED: error(
        404, "NOT_FOUND", "Requested entity was not found.", [fcm_error("UNREGISTERED")]
    ),
    Behaviour.UNREGISTERED_APNS: error(
        404, "NOT_FOUND", "Requested entity was not found.", [fcm_error("UNREGISTERED"), _GONE]
    ),
    Behaviour.BAD_TOKEN_BARE: error(
        400, "INVALID_ARGUMENT", _MALFORMED, [fcm_error("INVALID_ARGUMENT")]
    ),
    Behaviour.APNS_GONE: error(
        400, "INVALID_ARGUMENT", _INVALID, [fcm_error("INVALID_ARGUMENT"), _GONE]
    ),
    Behaviour.MISMATCH: error(
        403, "PERMISSION_DENIED", "SenderId mismatch", [fcm_error("SENDER_ID_MISMATCH")]
    ),
    Behaviour.THIRD_PARTY_AUTH: error(
        401,
        "UNAUTHENTICATED",
        "Request is missing required authentication credential. Expected OAuth 2 access token.",
        [fcm_error("THIRD_PARTY_AUTH_ERROR"), apns_error(403, "InvalidProviderToken")],
    ),
    Behaviour.PAYLOAD: invalid_argument(
        "message.android.notification.color", "Invalid color: it must be #rrggbb."
    ),
    Behaviour.TOO_BIG: payload_too_big("Android", 4_096),
    Behaviour.ODD_CODE: error(
        400, "INVALID_ARGUMENT", "Something is new.", [fcm_error("SOMETHING_NEW")]
    ),
    Behaviour.ODD_TEXT: b'{"error": "out of order"}',
    Behaviour.ODD_HTML: _html(400, "Bad Request"),
    Behaviour.ODD_EMPTY: b"",
    Behaviour.ODD_HUGE: error(400, "SOMETHING_NEW", "And so on. " * (_HUGE_BYTES // 11)),
    Behaviour.UNAVAILABLE: _UNAVAILABLE_BODY,
    Behaviour.ACCEPT_UNAVAILABLE: _UNAVAILABLE_BODY,
    Behaviour.INTERNAL: error(
        500, "INTERNAL", "Internal error encountered.", [fcm_error("INTERNAL")]
    ),
    Behaviour.BAD_GATEWAY: _html(502, "Server Error"),
    Behaviour.GATEWAY_TIMEOUT: _html(504, "Gateway Timeout"),
    Behaviour.QUOTA_DEVICE: error(
        429,
        "RESOURCE_EXHAUSTED",
        "Message rate exceeded for the target.",
        [fcm_error("QUOTA_EXCEEDED")],
    ),
}


def headers(status: int, body: bytes, retry_after: str | None) -> dict[str, str]:
    """Return an answer's headers, names in lower case; content-length is the wire's affair."""
    named = {"content-type": HTML_TYPE if body.startswith(b"<") else JSON_TYPE}
    if retry_after is not None:
        named["retry-after"] = retry_after
    if status == 401:
        named["www-authenticate"] = 'Bearer realm="https://accounts.google.com/"'
    return named
