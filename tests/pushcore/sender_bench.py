"""A sender over the fake transport and a real pacer, with everything around it in hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import redis

from pushcore.gate import Clocks, Live
from pushcore.messages import AddressKind, Content, Platform, Priority, Template
from pushcore.order import Addressed, Order
from pushcore.outcomes import Outcome
from pushcore.pacing import Pacer
from pushcore.retry import Guarantee
from pushcore.sender import Sender
from pushcore.transports.base import Answer, Fault
from pushcore.transports.fake import FakeTransport

NOW = 1_700_000_000.0
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
PENDING, SUCCESS, INVALID, FAILED, UNKNOWN = (
    int(outcome)
    for outcome in (
        *(Outcome.PENDING, Outcome.SUCCESS, Outcome.INVALID_TOKEN),
        *(Outcome.FAILED, Outcome.UNKNOWN),
    )
)


def refusal(http: int, status: str, code: str = "", **details: Any) -> Answer:
    error: dict[str, Any] = {"code": http, "status": status, "message": "The provider's words."}
    if code:
        error["details"] = [{"@type": FCM_ERROR, "errorCode": code}]
    if details:
        error["details"] = [details]
    return Answer(http, json.dumps({"error": error}).encode())


ANSWERS = {
    "gone": refusal(404, "NOT_FOUND", "UNREGISTERED"),
    "mismatch": refusal(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"),
    "thirdparty": refusal(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"),
    "payload": refusal(400, "INVALID_ARGUMENT"),
    "project": refusal(403, "PERMISSION_DENIED"),
    "token": refusal(401, "UNAUTHENTICATED"),
    "busy": refusal(503, "UNAVAILABLE", "UNAVAILABLE"),
    "often": refusal(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"),
    "unsent": Answer(0, fault=Fault.NEVER_SENT),
    "timeout": Answer(0, fault=Fault.TIMEOUT),
}


def by_name(message: dict[str, Any]) -> Answer:
    """Answer as the address says: `<name>-…`, or accept."""
    address: str = message["token"]
    accepted = json.dumps({"name": f"projects/p/messages/id-{address}"}).encode()
    return ANSWERS.get(address.split("-", maxsplit=1)[0], Answer(200, accepted))


class FakeTokens:
    """Counts refreshes; `failure` is what a refresh raises."""

    def __init__(self) -> None:
        self.value = "first"
        self.rejections: list[str] = []
        self.failure: Exception | None = None

    def current(self) -> str:
        return self.value

    def rejected(self, token: str) -> None:
        self.rejections.append(token)
        if self.failure is not None:
            raise self.failure
        self.value = "second"


class Bench:
    """A sender with everything around it in hand."""

    def __init__(self, client: redis.Redis, key: str) -> None:
        self.now = 1_000.0
        self.tokens = FakeTokens()
        self.transport = FakeTransport(by_name, in_flight=50)
        self.pacer = Pacer(client, project_key=key, quota_per_minute=0, clock=lambda: self.now)
        self.sender = Sender(
            transport=self.transport,
            tokens=self.tokens,
            pacer=self.pacer,
            random=lambda: 0.5,
            clocks=Clocks(lambda: self.now, lambda: NOW),
        )

    def order(
        self,
        *,
        guarantee: Guarantee = Guarantee.AT_LEAST_ONCE,
        poll: Callable[[], Live] = Live,
        lasts_s: float = 100.0,
    ) -> Order:
        content = Content(campaign_id=7, title="Spring", body="Sale")
        return Order(
            template=Template(content, now=datetime.fromtimestamp(NOW, tz=UTC)),
            priority=Priority.NORMAL,
            guarantee=guarantee,
            campaign_key="7",
            deadline=self.now + lasts_s,
            poll=poll,
        )

    def answer_with(self, handler: Callable[[dict[str, Any]], Answer]) -> None:
        self.transport.handler = handler

    def sent_to(self) -> list[str]:
        return [request["message"]["token"] for request in self.transport.requests]


def devices_of(*names: str, platform: Platform = Platform.ANDROID) -> list[Addressed]:
    return [
        Addressed(number, name, AddressKind.TOKEN, platform) for number, name in enumerate(names, 1)
    ]


def many(name: str, number: int, platform: Platform = Platform.ANDROID) -> list[Addressed]:
    return devices_of(*(f"{name}-{i}" for i in range(number)), platform=platform)
