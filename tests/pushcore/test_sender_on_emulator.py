"""The sender over HTTP/2 and TLS to the emulator: each row of the error table, as it comes in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from loadtests.fcm_emulator.process import Emulator
from pushcore.credentials import AccessTokens
from pushcore.gate import Live
from pushcore.messages import AddressKind, Content, Platform, Priority, Template
from pushcore.order import Addressed, Order
from pushcore.outcomes import Outcome, Trouble
from pushcore.pacing import Pacer
from pushcore.report import Report
from pushcore.retry import Guarantee
from pushcore.sender import Sender
from pushcore.transports.http2 import Http2Transport
from pushcore.validation import MAX_PAYLOAD_BYTES, largest_size_bytes

PENDING, SUCCESS = int(Outcome.PENDING), int(Outcome.SUCCESS)
INVALID, FAILED, UNKNOWN = (
    int(Outcome.INVALID_TOKEN),
    int(Outcome.FAILED),
    int(Outcome.UNKNOWN),
)


class Line:
    """A sender with a line to an emulator."""

    def __init__(self, emulator: Emulator, client: redis.Redis, project: str) -> None:
        ca_file = str(emulator.ca_file)
        tokens = AccessTokens(emulator.control.service_account(project), ca_file=ca_file)
        self.control = emulator.control
        self.pacer = Pacer(client, project_key=project, quota_per_minute=0)
        self.transport = Http2Transport(
            endpoint=emulator.url,
            project_id=project,
            access_token=tokens.current,
            ca_file=ca_file,
            timeout_s=2.0,
        )
        self.sender = Sender(
            transport=self.transport, tokens=tokens, pacer=self.pacer, random=lambda: 0.0
        )

    def send(
        self,
        *addresses: str,
        kind: AddressKind = AddressKind.TOKEN,
        guarantee: Guarantee = Guarantee.AT_LEAST_ONCE,
        **content: Any,
    ) -> Report:
        fields: dict[str, Any] = {"campaign_id": 7, "title": "Spring", "body": "Sale"} | content
        order = Order(
            template=Template(Content(**fields), now=datetime.now(UTC)),
            priority=Priority.HIGH,
            guarantee=guarantee,
            campaign_key="7",
            deadline=time.monotonic() + 30,
            poll=Live,
        )
        devices = [
            Addressed(number, address, kind, Platform.ANDROID)
            for number, address in enumerate(addresses, 1)
        ]
        return self.sender.send(devices, order)


@pytest.fixture
def line(fcm_emulator: Emulator, redis_client: redis.Redis, unique_key: str) -> Iterator[Line]:
    line = Line(fcm_emulator, redis_client, f"p-{unique_key}")
    yield line
    line.transport.close()


@pytest.fixture
def wire(fcm_wire: Emulator, redis_client: redis.Redis, unique_key: str) -> Iterator[Line]:
    line = Line(fcm_wire, redis_client, f"p-{unique_key}")
    yield line
    line.transport.close()


@pytest.mark.parametrize(
    ("behaviour", "outcome", "code", "trouble"),
    [
        ("ok", SUCCESS, "", None),
        ("unregistered", INVALID, "UNREGISTERED", None),
        ("unregistered_apns", INVALID, "UNREGISTERED", None),
        ("bad_token", INVALID, "INVALID_ARGUMENT", None),
        ("bad_token_bare", INVALID, "INVALID_ARGUMENT", None),
        ("apns_gone", INVALID, "UNREGISTERED", None),
        ("mismatch", FAILED, "SENDER_ID_MISMATCH", None),
        ("third_party_auth", FAILED, "THIRD_PARTY_AUTH_ERROR", Trouble.PLATFORM),
        ("payload", FAILED, "INVALID_ARGUMENT", Trouble.PAYLOAD),
        ("too_big", FAILED, "INVALID_ARGUMENT", Trouble.PAYLOAD),
        ("unavailable", PENDING, "UNAVAILABLE", None),
        ("internal", PENDING, "INTERNAL", None),
        ("bad_gateway", PENDING, "HTTP_502", None),
        ("gateway_timeout", PENDING, "HTTP_504", None),
        ("quota_project", PENDING, "RATE_LIMIT_EXCEEDED", Trouble.PROJECT_QUOTA),
        ("quota_device", PENDING, "QUOTA_EXCEEDED", None),
        ("accept_unavailable", PENDING, "UNAVAILABLE", None),
    ],
)
def test_each_answer_lands_as_the_table_says(
    *, line: Line, behaviour: str, outcome: int, code: str, trouble: Trouble | None
) -> None:
    report = line.send(f"e1.{behaviour}.1")

    assert (report.outcomes, report.codes) == ([outcome], [code])
    assert list(report.troubles) == ([trouble] if trouble else [])
    assert (report.message_ids[0] is not None) == (outcome == SUCCESS)


@pytest.mark.parametrize(
    ("behaviour", "outcome", "code", "ambiguous"),
    [
        ("refused", SUCCESS, "", False),
        ("goaway", SUCCESS, "", False),
        ("reset", PENDING, "CONNECTION_BROKEN", True),
        ("accept_reset", PENDING, "CONNECTION_BROKEN", True),
        ("hang", PENDING, "TIMEOUT", True),
    ],
)
def test_each_fault_of_the_wire_lands_as_the_table_says(
    *, wire: Line, behaviour: str, outcome: int, code: str, ambiguous: bool
) -> None:
    report = wire.send(f"e1.{behaviour}.1.x")

    assert (report.outcomes, report.codes) == ([outcome], [code])
    assert report.ambiguous == [ambiguous]


def test_what_the_gateways_say_in_html_is_kept_out_of_nobodys_way(line: Line) -> None:
    report = line.send("e1.bad_gateway.1", "e1.ok.1")

    assert report.outcomes == [PENDING, SUCCESS]


def test_at_most_once_accepts_no_second_message(line: Line) -> None:
    report = line.send("e1.accept_unavailable.1", guarantee=Guarantee.AT_MOST_ONCE)

    assert report.outcomes == [UNKNOWN]
    assert line.control.counts(["e1.accept_unavailable.1"]) == [1]


def test_an_installation_id_is_accepted_as_such(line: Line) -> None:
    line.send("e1.ok.fid", kind=AddressKind.FID)

    (request,) = line.control.messages("e1.ok.fid")
    assert request["message"]["fid"] == "e1.ok.fid"


def test_a_revoked_access_token_is_replaced_once_and_all_arrive(line: Line) -> None:
    addresses = [f"e1.ok.{number}" for number in range(300)]
    line.send("e1.ok.first")
    line.control.revoke_access_tokens()

    report = line.send(*addresses)

    assert report.outcomes == [SUCCESS] * 300
    assert report.troubles == {}
    assert line.control.counts(addresses) == [1] * 300


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        ("not_found", Trouble.PROJECT),
        ("permission_denied", Trouble.PROJECT),
        ("unauthenticated", Trouble.ACCESS_TOKEN),
    ],
)
def test_a_refused_project_touches_no_device(line: Line, fault: str, trouble: Trouble) -> None:
    line.control.configure(project_faults={"*": fault})

    report = line.send(*(f"e1.ok.{number}" for number in range(600)))

    assert report.outcomes == [PENDING] * 600
    assert report.attempts == [0] * 600
    assert list(report.troubles) == [trouble]
    # One batch in flight, and for the access token one more with the new one.
    rounds = 2 if trouble is Trouble.ACCESS_TOKEN else 1
    assert line.control.stats()["received"] <= 500 * rounds


def test_a_token_endpoint_that_is_down_hands_the_batch_back(line: Line) -> None:
    line.control.configure(oauth_fail_next=10)

    report = line.send("e1.ok.1")

    assert report.outcomes == [PENDING]
    assert report.troubles == {}
    assert report.blocked_s == 30.0


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured_in_both_forms(line: Line, form: str) -> None:
    line.control.configure(retry_after=form)

    report = line.send("e1.unavailable.1.90.x")

    assert report.retry_in_s == [pytest.approx(90.0, abs=1.5)]


def test_a_quota_set_too_high_ends_with_the_batch_handed_back(line: Line) -> None:
    line.control.configure(quota_per_minute=100)
    addresses = [f"e1.ok.{number}" for number in range(500)]

    report = line.send(*addresses)

    accepted = sum(line.control.counts(addresses))
    assert accepted <= 200  # the window may turn in between
    assert report.outcomes.count(SUCCESS) == accepted
    assert report.outcomes.count(PENDING) == 500 - accepted
    assert list(report.troubles) == [Trouble.PROJECT_QUOTA]
    assert line.pacer.state().blocked_for_s > 0
    assert line.pacer.state().factor < 1


def test_the_largest_content_that_passes_here_passes_there(line: Line) -> None:
    now = datetime.now(UTC)
    room = MAX_PAYLOAD_BYTES - largest_size_bytes(
        Content(campaign_id=7, title="Spring", body=""), now=now
    )

    report = line.send("e1.ok.large", body="x" * room)

    assert report.outcomes == [SUCCESS]
