from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pushcore.outcomes import Outcome, Trouble, Verdict, judge
from pushcore.transports.base import MAX_BODY_BYTES, Answer, Fault

NOW = 1_700_000_000.0
GOOGLE = "type.googleapis.com/"
FCM = GOOGLE + "google.firebase.fcm.v1."
RPC = GOOGLE + "google.rpc."
ADDRESS = "cVq3xNn0T2y8JzR1kLmP5a:APA91b" + "Hq7Zx0" * 22


def fcm(code: object) -> dict[str, Any]:
    return {"@type": FCM + "FcmError", "errorCode": code}


def apns(status: int, reason: str) -> dict[str, Any]:
    return {"@type": FCM + "ApnsError", "statusCode": status, "reason": reason}


def bad_request(*fields: str) -> dict[str, Any]:
    violations = [{"field": field, "description": "Invalid value"} for field in fields]
    return {"@type": RPC + "BadRequest", "fieldViolations": violations}


def error_info(reason: str) -> dict[str, Any]:
    return {"@type": RPC + "ErrorInfo", "reason": reason, "domain": "googleapis.com"}


def answer(http: int, status: str, *details: object, message: str = "Words.") -> Answer:
    error = {"code": http, "message": message, "status": status, "details": list(details)}
    return Answer(http, json.dumps({"error": error}).encode())


def judged(what: Answer) -> Verdict:
    return judge(what, now=NOW)


class TestAccepted:
    @pytest.mark.parametrize(
        "body",
        [
            b'{"name":"projects/p/messages/0:15%31bd"}',
            b'{\n  "name": "projects/p/messages/0:15%31bd"\n}\n',
            b'{"x": {"y": "z"}, "name": "projects/p/messages/0:15%31bd"}',
            b'{"name":"projects/p/messages/0:15\\u002531bd"}',
        ],
    )
    def test_the_message_id_is_what_follows_messages(self, body: bytes) -> None:
        assert judged(Answer(200, body)) == Verdict(Outcome.SUCCESS, message_id="0:15%31bd")

    @pytest.mark.parametrize("body", [b"", b'{"name": "projects/p/mess', b" \n"])
    def test_an_answer_cut_off_after_200_is_accepted_with_its_id_lost(self, body: bytes) -> None:
        assert judged(Answer(200, body)) == Verdict(Outcome.SUCCESS)

    @pytest.mark.parametrize(
        "body",
        [
            b"<html>Log in to the network</html>",
            b"{}",
            b"[]",
            b'{"name": 5}',
            b'{"name": ["/messages/"]}',
            b'{"name": "projects/p/messages/"}',
            b'{"error": {"code": 404}}',
        ],
    )
    def test_a_200_that_is_not_fcms_may_or_may_not_have_been_accepted(self, body: bytes) -> None:
        verdict = judged(Answer(200, body))

        assert verdict[:4] == (Outcome.PENDING, "NO_MESSAGE_ID", "", True)
        assert verdict.detail == body.decode()


class TestFaults:
    @pytest.mark.parametrize(
        ("fault", "expected"),
        [
            (Fault.NEVER_SENT, Verdict(Outcome.PENDING, "NEVER_SENT", retry_now=True)),
            (Fault.TIMEOUT, Verdict(Outcome.PENDING, "TIMEOUT", ambiguous=True)),
            (Fault.BROKEN, Verdict(Outcome.PENDING, "CONNECTION_BROKEN", ambiguous=True)),
            (None, Verdict(Outcome.PENDING, "CONNECTION_BROKEN", ambiguous=True)),
        ],
    )
    def test_each(self, fault: Fault | None, expected: Verdict) -> None:
        assert judged(Answer(0, fault=fault)) == expected


DEAD, FAILED, PENDING = Outcome.INVALID_TOKEN, Outcome.FAILED, Outcome.PENDING

TABLE: list[tuple[str, Answer, Outcome, str, bool, Trouble]] = [
    (
        "uninstalled",
        answer(404, "NOT_FOUND", fcm("UNREGISTERED")),
        *(DEAD, "UNREGISTERED", False, Trouble.NONE),
    ),
    (
        "uninstalled, says APNs",
        answer(404, "NOT_FOUND", fcm("UNREGISTERED"), apns(410, "Unregistered")),
        *(DEAD, "UNREGISTERED", False, Trouble.NONE),
    ),
    (
        "wrong project",
        answer(404, "NOT_FOUND"),
        *(PENDING, "NOT_FOUND", False, Trouble.PROJECT),
    ),
    (
        "malformed token",
        answer(400, "INVALID_ARGUMENT", fcm("INVALID_ARGUMENT")),
        *(DEAD, "INVALID_ARGUMENT", False, Trouble.NONE),
    ),
    (
        "malformed token, named",
        answer(400, "INVALID_ARGUMENT", fcm("INVALID_ARGUMENT"), bad_request("message.token")),
        *(DEAD, "INVALID_ARGUMENT", False, Trouble.NONE),
    ),
    (
        "malformed installation id, named",
        answer(400, "INVALID_ARGUMENT", bad_request("message.fid"), fcm("INVALID_ARGUMENT")),
        *(DEAD, "INVALID_ARGUMENT", False, Trouble.NONE),
    ),
    (
        "APNs token disabled",
        answer(400, "INVALID_ARGUMENT", fcm("INVALID_ARGUMENT"), apns(410, "Unregistered")),
        *(DEAD, "UNREGISTERED", False, Trouble.NONE),
    ),
    (
        "APNs refuses the payload",
        answer(400, "INVALID_ARGUMENT", fcm("INVALID_ARGUMENT"), apns(413, "PayloadTooLarge")),
        *(FAILED, "INVALID_ARGUMENT", False, Trouble.PAYLOAD),
    ),
    (
        "APNs refuses for another reason",
        answer(400, "INVALID_ARGUMENT", fcm("INVALID_ARGUMENT"), apns(400, "BadDeviceToken")),
        *(FAILED, "APNS_REJECTED", False, Trouble.NONE),
    ),
    (
        "bad field",
        answer(400, "INVALID_ARGUMENT", bad_request("message.data")),
        *(FAILED, "INVALID_ARGUMENT", False, Trouble.PAYLOAD),
    ),
    (
        "bad field, and bad token",
        answer(
            *(400, "INVALID_ARGUMENT", fcm("INVALID_ARGUMENT")),
            bad_request("message.token", "message.android.ttl"),
        ),
        *(FAILED, "INVALID_ARGUMENT", False, Trouble.PAYLOAD),
    ),
    (
        "too large",
        answer(400, "INVALID_ARGUMENT"),
        *(FAILED, "INVALID_ARGUMENT", False, Trouble.PAYLOAD),
    ),
    (
        "another sender's",
        answer(403, "PERMISSION_DENIED", fcm("SENDER_ID_MISMATCH")),
        *(FAILED, "SENDER_ID_MISMATCH", False, Trouble.MISMATCH),
    ),
    (
        "no permission",
        answer(403, "PERMISSION_DENIED"),
        *(PENDING, "PERMISSION_DENIED", False, Trouble.PROJECT),
    ),
    (
        "API disabled",
        answer(403, "PERMISSION_DENIED", error_info("SERVICE_DISABLED")),
        *(PENDING, "SERVICE_DISABLED", False, Trouble.PROJECT),
    ),
    (
        "APNs key",
        answer(401, "UNAUTHENTICATED", fcm("THIRD_PARTY_AUTH_ERROR")),
        *(FAILED, "THIRD_PARTY_AUTH_ERROR", False, Trouble.PLATFORM),
    ),
    (
        "access token",
        answer(401, "UNAUTHENTICATED"),
        *(PENDING, "UNAUTHENTICATED", False, Trouble.ACCESS_TOKEN),
    ),
    (
        "access token, named",
        answer(401, "UNAUTHENTICATED", error_info("ACCESS_TOKEN_EXPIRED")),
        *(PENDING, "ACCESS_TOKEN_EXPIRED", False, Trouble.ACCESS_TOKEN),
    ),
    (
        "the project's quota",
        answer(429, "RESOURCE_EXHAUSTED", error_info("RATE_LIMIT_EXCEEDED")),
        *(PENDING, "RATE_LIMIT_EXCEEDED", False, Trouble.PROJECT_QUOTA),
    ),
    (
        "the project's quota, unexplained",
        answer(429, "RESOURCE_EXHAUSTED"),
        *(PENDING, "RESOURCE_EXHAUSTED", False, Trouble.PROJECT_QUOTA),
    ),
    (
        "the device's quota",
        answer(429, "RESOURCE_EXHAUSTED", fcm("QUOTA_EXCEEDED")),
        *(PENDING, "QUOTA_EXCEEDED", False, Trouble.DEVICE_QUOTA),
    ),
    (
        "internal",
        answer(500, "INTERNAL", fcm("INTERNAL")),
        *(PENDING, "INTERNAL", True, Trouble.NONE),
    ),
    (
        "unavailable",
        answer(503, "UNAVAILABLE", fcm("UNAVAILABLE")),
        *(PENDING, "UNAVAILABLE", True, Trouble.NONE),
    ),
    (
        "unavailable, says only the status",
        answer(503, "UNAVAILABLE"),
        *(PENDING, "UNAVAILABLE", True, Trouble.NONE),
    ),
    (
        "gateway in HTML",
        Answer(502, b"<!DOCTYPE html><title>Error 502</title>"),
        *(PENDING, "HTTP_502", True, Trouble.NONE),
    ),
    ("gateway, empty", Answer(504), PENDING, "HTTP_504", True, Trouble.NONE),
    ("request timeout", Answer(408), PENDING, "HTTP_408", True, Trouble.NONE),
    (
        "unknown FcmError",
        answer(400, "INVALID_ARGUMENT", fcm("GONE_FISHING")),
        *(FAILED, "GONE_FISHING", False, Trouble.NONE),
    ),
    (
        "unknown FcmError with 5xx",
        answer(500, "INTERNAL", fcm("UNSPECIFIED_ERROR")),
        *(PENDING, "UNSPECIFIED_ERROR", True, Trouble.NONE),
    ),
    ("400 in HTML", Answer(400, b"<html>"), FAILED, "HTTP_400", False, Trouble.NONE),
    ("400, empty", Answer(400), FAILED, "HTTP_400", False, Trouble.NONE),
    ("string under error", Answer(400, b'{"error": "invalid_grant"}'), FAILED, "HTTP_400", False,
     Trouble.NONE),
    ("teapot", Answer(418, b"[]"), FAILED, "HTTP_418", False, Trouble.NONE),
    ("a portal", Answer(302, b"<html>"), PENDING, "HTTP_302", False, Trouble.PROJECT),
    ("403 in HTML", Answer(403, b"<html>"), PENDING, "HTTP_403", False, Trouble.PROJECT),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "outcome", "code", "ambiguous", "trouble"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_each_row_of_the_table(
    *, what: Answer, outcome: Outcome, code: str, ambiguous: bool, trouble: Trouble
) -> None:
    verdict = judged(what)

    assert verdict.outcome is outcome
    assert verdict.code == code
    assert verdict.ambiguous is ambiguous
    assert verdict.trouble is trouble
    assert verdict.retry_now is False


@pytest.mark.parametrize("what", [row[1] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_message_text_decides_nothing(what: Answer) -> None:
    other = Answer(what.status, what.body.replace(b"Words.", b"UNREGISTERED token, quota exceeded"))

    assert judged(other)._replace(detail="") == judged(what)._replace(detail="")


class TestRetryAfter:
    @pytest.mark.parametrize(
        "what",
        [
            answer(429, "RESOURCE_EXHAUSTED", error_info("RATE_LIMIT_EXCEEDED")),
            answer(429, "RESOURCE_EXHAUSTED", fcm("QUOTA_EXCEEDED")),
            answer(503, "UNAVAILABLE", fcm("UNAVAILABLE")),
        ],
    )
    def test_it_comes_along_with_what_is_to_be_retried(self, what: Answer) -> None:
        asked = Answer(what.status, what.body, retry_after="17")

        assert judged(what).retry_after_s is None
        assert judged(asked).retry_after_s == 17.0

    def test_it_means_nothing_for_what_is_final(self) -> None:
        final = answer(404, "NOT_FOUND", fcm("UNREGISTERED"))

        assert judged(Answer(404, final.body, retry_after="17")).retry_after_s is None


class TestDetail:
    def test_the_providers_words_are_kept_for_a_refused_payload(self) -> None:
        what = answer(400, "INVALID_ARGUMENT", message="Message is too big.")

        assert judged(what).detail == "Message is too big."

    def test_an_unknown_answer_is_kept_raw_and_bounded(self) -> None:
        assert judged(Answer(400, b"<p>" + b"no " * 9_999)).detail == ("<p>" + "no " * 166)[:500]

    def test_an_unknown_code_is_kept_with_the_whole_answer_and_not_its_message_alone(self) -> None:
        what = answer(400, "INVALID_ARGUMENT", fcm("SOMETHING_NEW"), message="Words.")

        assert judged(what)[:2] == (FAILED, "SOMETHING_NEW")
        assert judged(what).detail == what.body.decode()[:500]

    @pytest.mark.parametrize("secret", [ADDRESS, ADDRESS[:22], "ya29.a0AfB_byC8" + "d1" * 40])
    def test_it_holds_no_whole_address_or_bearer_token(self, secret: str) -> None:
        what = answer(400, "INVALID_ARGUMENT", message=f"Refused: {secret} in SendsPerMinutePer")

        assert secret not in judged(what).detail
        assert judged(what).detail.endswith(" in SendsPerMinutePer")

    def test_an_unknown_code_is_bounded(self) -> None:
        what = answer(400, "INVALID_ARGUMENT", fcm("x" * 65))

        assert judged(what).code == "HTTP_400"


DETAIL = st.one_of(
    st.sampled_from([fcm("INVALID_ARGUMENT"), apns(410, "x"), bad_request("message.token")]),
    st.dictionaries(
        st.sampled_from(["@type", "errorCode", "reason", "fieldViolations", "statusCode"]),
        st.one_of(
            st.none(),
            st.integers(),
            st.text(),
            st.sampled_from([FCM + "FcmError", RPC + "BadRequest", FCM + "ApnsError"]),
            st.lists(st.one_of(st.integers(), st.dictionaries(st.just("field"), st.integers()))),
        ),
    ),
    st.integers(),
)
ENVELOPE = st.fixed_dictionaries(
    {
        "error": st.one_of(
            st.text(),
            st.lists(st.integers()),
            st.fixed_dictionaries(
                {},
                optional={
                    "code": st.one_of(st.integers(), st.text()),
                    "status": st.one_of(st.none(), st.text(), st.integers()),
                    "message": st.one_of(st.none(), st.text(), st.integers()),
                    "details": st.one_of(st.none(), st.text(), st.lists(DETAIL)),
                },
            ),
        )
    }
)


class TestAnythingAtAll:
    @given(
        status=st.one_of(st.integers(-1, 700), st.sampled_from([200, 400, 401, 403, 404, 429])),
        body=st.one_of(st.binary(), ENVELOPE.map(lambda value: json.dumps(value).encode())),
        retry_after=st.one_of(st.none(), st.text()),
    )
    @example(status=400, body=b"[" * MAX_BODY_BYTES, retry_after=None)
    @example(status=200, body=b'{"a":' * 3_000, retry_after=None)
    @example(status=404, body=b"\xff\xfe", retry_after="Fri, 99 Foo")
    @example(status=429, body=b"null", retry_after="9" * 5_000)
    def test_is_judged_without_an_exception_and_within_bounds(
        self, status: int, body: bytes, retry_after: str | None
    ) -> None:
        verdict = judge(Answer(status, body, retry_after), now=NOW)

        assert isinstance(verdict.outcome, Outcome)
        assert len(verdict.code) <= 64
        assert len(verdict.detail) <= 500
        assert len(verdict.message_id) <= 256
        assert verdict.retry_after_s is None or 0 <= verdict.retry_after_s <= 3_600
        assert (verdict.outcome is Outcome.SUCCESS) <= (status == 200)

    def test_a_hostile_body_takes_no_noticeable_time(self) -> None:
        bodies = [b"a" * MAX_BODY_BYTES, b"_" * 19 + b" " + b"a1" * 8_000, b"[" * MAX_BODY_BYTES]

        began = time.perf_counter()
        for body in bodies * 10:
            judged(Answer(400, body))

        assert time.perf_counter() - began < 1.0


def test_failure_is_what_was_refused() -> None:
    assert [outcome for outcome in Outcome if outcome.is_failure] == [DEAD, FAILED]
