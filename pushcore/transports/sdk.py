"""FCM by firebase-admin's `send_each`: the reference that the default transport is compared with.

It is what most applications use, and keeps one promise less than the others: the SDK posts a
message again by itself after a read error, a 500 or a 503, so a message can be on the wire twice.
It starts a thread for each message and costs 20 to 30 times the CPU of `http2`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import uuid4

import firebase_admin
import google.auth.credentials
import orjson
import requests
import urllib3
from firebase_admin import credentials, messaging
from firebase_admin.exceptions import FirebaseError

from pushcore.transports.base import MAX_BODY_BYTES, Answer, Fault, Gate
from pushcore.transports.sdk_message import sdk_message

MAX_MESSAGES: Final = 500
"""The most that `send_each` takes."""
MAX_WAIT_S: Final = 0.05
"""The longest sleep before the gate is asked again."""


class _Token(google.auth.credentials.Credentials):
    """google-auth's credentials over an access token from elsewhere."""

    def __init__(self, access_token: Callable[[], str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # google-auth's types are partial
        self._access_token = access_token

    def refresh(self, request: object) -> None:  # noqa: ARG002  google-auth's signature
        self.token = self._access_token()


class _Credential(credentials.Base):  # type: ignore[misc]  # firebase-admin has no types
    """The SDK's wrapping of google-auth's credentials."""

    def __init__(self, token: _Token) -> None:
        self._token = token

    def get_credential(self) -> _Token:
        return self._token


class SdkTransport:
    """Sends messages of one FCM project by `messaging.send_each` (a `Transport`, but for retries).

    The arguments mean what they mean for `Http2Transport`. The provider's answers are taken from
    the SDK's exceptions; a message that the SDK refuses to encode is answered as FCM would, 400.
    """

    def __init__(
        self,
        *,
        endpoint: str,
        project_id: str,
        access_token: Callable[[], str],
        ca_file: str | None = None,
        timeout_s: float = 15.0,
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._project_id = project_id
        self._access_token = access_token
        self._ca_file = ca_file
        self._timeout_s = timeout_s
        self._open()

    def send(self, bodies: Sequence[bytes], *, gate: Gate) -> list[Answer | None]:
        """Send each body; see `Transport.send`. Raises what `access_token` raises."""
        self._token.token = self._access_token()
        answers: list[Answer | None] = [None] * len(bodies)
        started = 0
        while started < len(bodies) and not gate.is_closed():
            admitted = gate.admit(min(len(bodies) - started, MAX_MESSAGES))
            end = started + admitted
            answers[started:end] = self._send_each(bodies[started:end])
            for answer in answers[started:end]:
                if answer is not None:
                    gate.observe(answer)
            started = end
            if not admitted:
                time.sleep(min(gate.wait_s(), MAX_WAIT_S))
        return answers

    def abandon(self) -> None:
        """Drop the connections; what a thread of the SDK has in hand still ends by itself."""
        self.close()
        self._open()

    def close(self) -> None:
        """Close all connections; the transport is not used again."""
        self._session.close()
        firebase_admin.delete_app(self._app)

    def _open(self) -> None:
        self._token = _Token(self._access_token)
        options = {"projectId": self._project_id, "httpTimeout": self._timeout_s}
        self._app = firebase_admin.initialize_app(
            _Credential(self._token), options, name=f"pushcore-{uuid4()}"
        )
        # The SDK has no option for the endpoint; this is where it keeps it.
        service = messaging._get_messaging_service(self._app)
        path = f"/v1/projects/{self._project_id}/messages:send"
        service._fcm_url = self._endpoint + path
        session: requests.Session = service._client.session
        # The wide pool of connections that the SDK has for Google's host only.
        session.mount(self._endpoint, session.get_adapter("https://fcm.googleapis.com"))
        session.verify = self._ca_file or True
        session.trust_env = self._ca_file is None  # or the environment's bundle would override it
        self._session = session

    def _send_each(self, bodies: Sequence[bytes]) -> list[Answer]:
        """Send what the SDK can encode, the dry runs apart, and put the answers in order."""
        answers: dict[int, Answer] = {}
        wire: dict[bool, dict[int, messaging.Message]] = {False: {}, True: {}}
        for index, body in enumerate(bodies):
            request = orjson.loads(body)
            try:
                message = sdk_message(request["message"])
                messaging._MessagingService.encode_message(message)
            except ValueError as exc:
                answers[index] = _refused(str(exc))
            else:
                wire[bool(request.get("validate_only"))][index] = message
        for dry_run, messages in wire.items():
            if messages:
                answers.update(self._posted(messages, dry_run=dry_run))
        return [answers[index] for index in range(len(bodies))]

    def _posted(
        self, messages: dict[int, messaging.Message], *, dry_run: bool
    ) -> dict[int, Answer]:
        try:
            batch = messaging.send_each(list(messages.values()), dry_run=dry_run, app=self._app)
        except FirebaseError:
            # One message's trouble took the answers of all with it: some may have been accepted.
            return dict.fromkeys(messages, Answer(0, fault=Fault.BROKEN))
        return {
            index: _answer(response)
            for index, response in zip(messages, batch.responses, strict=True)
        }


def _answer(response: messaging.SendResponse) -> Answer:
    if response.success:
        return Answer(200, orjson.dumps({"name": response.message_id}))
    failure: FirebaseError = response.exception
    if failure.http_response is not None:
        http: requests.Response = failure.http_response
        body = http.content[:MAX_BODY_BYTES]
        return Answer(http.status_code, body, http.headers.get("Retry-After"))
    return Answer(0, fault=_fault(failure.cause))


def _fault(cause: BaseException | None) -> Fault:
    """Return what is known of a message by the error that `requests` raised for it."""
    if isinstance(cause, requests.exceptions.ReadTimeout):
        return Fault.TIMEOUT
    if isinstance(cause, requests.exceptions.ConnectionError):
        reason: Any = cause.args[0] if cause.args else None
        reason = getattr(reason, "reason", reason)
        connecting = (
            urllib3.exceptions.NewConnectionError,
            urllib3.exceptions.ConnectTimeoutError,
            urllib3.exceptions.SSLError,
        )
        if isinstance(reason, connecting):
            return Fault.NEVER_SENT
        if isinstance(reason, urllib3.exceptions.ReadTimeoutError):
            return Fault.TIMEOUT
    return Fault.BROKEN


def _refused(words: str) -> Answer:
    error = {"code": 400, "status": "INVALID_ARGUMENT", "message": words}
    return Answer(400, orjson.dumps({"error": error}))
