"""firebase-admin's unmodified client meets what it would meet at Google."""

from __future__ import annotations

from typing import Any

import firebase_admin
import pytest
from firebase_admin import exceptions, messaging

from loadtests.fcm_emulator.process import Emulator
from tests.loadtests.fcm_emulator.clients import PROJECT

pytestmark = pytest.mark.filterwarnings("ignore:.*token.*is deprecated:DeprecationWarning")


def send(app: firebase_admin.App, *tokens: str, dry_run: bool = False, **parts: Any) -> list[Any]:
    notification = messaging.Notification(title="Hi", body="there")
    messages = [messaging.Message(token=t, notification=notification, **parts) for t in tokens]
    responses: list[Any] = messaging.send_each(messages, dry_run=dry_run, app=app).responses
    return responses


def test_accepts_and_leaves_one_receipt_each(sdk: firebase_admin.App, emulator: Emulator) -> None:
    responses = send(sdk, "e1.ok.a", "e1.ok.b")

    assert [r.success for r in responses] == [True, True]
    assert all(r.message_id.startswith(f"projects/{PROJECT}/messages/") for r in responses)
    assert responses[0].message_id != responses[1].message_id
    assert emulator.control.counts(["e1.ok.a", "e1.ok.b", "e1.ok.c"]) == [1, 1, 0]


@pytest.mark.parametrize(
    ("behaviour", "raised", "status"),
    [
        ("unregistered", messaging.UnregisteredError, 404),
        ("unregistered_apns", messaging.UnregisteredError, 404),
        ("bad_token", exceptions.InvalidArgumentError, 400),
        ("bad_token_bare", exceptions.InvalidArgumentError, 400),
        ("apns_gone", exceptions.InvalidArgumentError, 400),
        ("payload", exceptions.InvalidArgumentError, 400),
        ("too_big", exceptions.InvalidArgumentError, 400),
        ("mismatch", messaging.SenderIdMismatchError, 403),
        ("third_party_auth", messaging.ThirdPartyAuthError, 401),
        ("quota_device", messaging.QuotaExceededError, 429),
        ("quota_project", exceptions.ResourceExhaustedError, 429),
        ("odd_code", exceptions.InvalidArgumentError, 400),
        ("odd_html", exceptions.InvalidArgumentError, 400),
        ("odd_empty", exceptions.InvalidArgumentError, 400),
        ("odd_huge", exceptions.UnknownError, 400),
        ("bad_gateway", exceptions.UnknownError, 502),
        ("gateway_timeout", exceptions.UnknownError, 504),
    ],
)
def test_raises_the_sdk_exception_of_the_outcome(
    sdk: firebase_admin.App,
    emulator: Emulator,
    behaviour: str,
    raised: type[exceptions.FirebaseError],
    status: int,
) -> None:
    token = f"e1.{behaviour}.x"

    (response,) = send(sdk, token)

    assert type(response.exception) is raised
    assert response.exception.http_response.status_code == status
    assert emulator.control.counts([token]) == [0]


def test_a_string_under_error_costs_the_sdk_the_outcomes_of_all(
    sdk: firebase_admin.App, emulator: Emulator
) -> None:
    with pytest.raises(exceptions.UnknownError):
        send(sdk, "e1.ok.beside", "e1.odd_text.x")

    assert emulator.control.counts(["e1.ok.beside"]) == [1]


def test_an_installation_id_is_a_target_like_a_token(
    sdk: firebase_admin.App, emulator: Emulator
) -> None:
    messages = [messaging.Message(fid=fid) for fid in ("e1.ok.fid", "e1.bad_token.fid")]

    good, bad = messaging.send_each(messages, app=sdk).responses

    assert good.success
    assert type(bad.exception) is exceptions.InvalidArgumentError
    assert "message.fid" in bad.exception.http_response.text
    assert emulator.control.counts(["e1.ok.fid", "e1.bad_token.fid"]) == [1, 0]


@pytest.mark.parametrize("emulator", ["h2"], indirect=True)
def test_the_sdk_gives_up_on_5xx_after_hasty_retries_that_are_counted(
    sdk: firebase_admin.App, emulator: Emulator
) -> None:
    unavailable, internal = send(sdk, "e1.unavailable.always.x", "e1.internal.always.x")

    assert type(unavailable.exception) is exceptions.UnavailableError
    assert type(internal.exception) is exceptions.InternalError
    stats = emulator.control.stats()
    assert stats["by_status"] == {"503": 5, "500": 5}
    assert stats["early_retries"] == 8


def test_accepts_after_as_many_503s_as_asked_for(
    sdk: firebase_admin.App, emulator: Emulator
) -> None:
    (response,) = send(sdk, "e1.unavailable.1.x")

    assert response.success
    assert emulator.control.stats()["by_status"] == {"503": 1, "200": 1}


def test_dry_run_checks_and_leaves_no_receipt(sdk: firebase_admin.App, emulator: Emulator) -> None:
    (response,) = send(sdk, "e1.ok.dry", dry_run=True)

    stats = emulator.control.stats()
    assert response.success
    assert (stats["validated_only"], stats["accepted"]) == (1, 0)
    assert emulator.control.counts(["e1.ok.dry"]) == [0]


def test_takes_all_that_the_sdk_can_say(sdk: firebase_admin.App, emulator: Emulator) -> None:
    android = messaging.AndroidConfig(
        priority="high",
        ttl=3_600,
        data={"k": "v"},
        notification=messaging.AndroidNotification(
            title="t",
            tag="c-1",
            color="#ff8800",
            vibrate_timings_millis=[100, 200],
            light_settings=messaging.LightSettings(
                color="#ff8800", light_on_duration_millis=100, light_off_duration_millis=1_100
            ),
            priority="high",
            visibility="public",
            notification_count=2,
        ),
    )
    apns = messaging.APNSConfig(
        headers={"apns-priority": "10", "apns-collapse-id": "c-1"},
        payload=messaging.APNSPayload(messaging.Aps(badge=1, sound="default"), extra="yes"),
    )
    webpush = messaging.WebpushConfig(
        headers={"TTL": "60", "Urgency": "high"},
        notification=messaging.WebpushNotification(title="t", tag="c-1"),
        fcm_options=messaging.WebpushFCMOptions(link="https://example.org/"),
    )

    (response,) = send(sdk, "e1.ok.full", android=android, apns=apns, webpush=webpush)

    assert response.success
    (request,) = emulator.control.messages("e1.ok.full")
    assert request["message"]["android"]["ttl"] == "3600s"
    assert request["message"]["apns"]["payload"]["extra"] == "yes"


def test_refuses_a_payload_that_the_sdk_lets_pass(
    sdk: firebase_admin.App, emulator: Emulator
) -> None:
    (too_large,) = send(sdk, "e1.ok.large", data={"k": "x" * 4_097})
    (reserved,) = send(sdk, "e1.ok.reserved", data={"google.x": "1"})
    (lifetime,) = send(sdk, "e1.ok.ttl", android=messaging.AndroidConfig(ttl=2_419_201))

    for response in (too_large, reserved, lifetime):
        assert type(response.exception) is exceptions.InvalidArgumentError
    assert emulator.control.stats()["accepted"] == 0


def test_one_access_token_serves_many_messages(sdk: firebase_admin.App, emulator: Emulator) -> None:
    send(sdk, "e1.ok.first")
    send(sdk, *[f"e1.ok.{n}" for n in range(20)])

    assert emulator.control.stats()["oauth_calls"] == 1


def test_refuses_an_account_it_does_not_know(sdk: firebase_admin.App, emulator: Emulator) -> None:
    emulator.control.service_account(PROJECT)  # another key takes the account over

    with pytest.raises(exceptions.FirebaseError, match="invalid_grant"):
        send(sdk, "e1.ok.stranger")

    assert emulator.control.stats()["received"] == 0
