"""Reading requests: the same verdict whether or not the template is known."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.fcm_emulator.reading import Reader, Target
from loadtests.fcm_emulator.rules import MAX_PAYLOAD_BYTES, Refusal


def dumps(**message: Any) -> bytes:
    return orjson.dumps({"message": message})


def read(body: bytes) -> Target | Refusal:
    return Reader().read(body)


def fault(**message: Any) -> str:
    found = read(dumps(token="t", **message))
    assert isinstance(found, Refusal), found
    return found.problem


def test_a_known_template_gives_the_other_address() -> None:
    reader = Reader()

    first = reader.read(dumps(data={"k": "v"}, token="one"))
    second = reader.read(dumps(data={"k": "v"}, token="two"))

    assert first == Target("token", "one", False)
    assert second == Target("token", "two", False)


def test_a_known_template_covers_other_serial_numbers_in_the_data() -> None:
    reader = Reader()

    bodies = [dumps(token=f"t{n}", data={"id": f"7.{n}"}) for n in (11, 12, 345)]

    assert [reader.read(body) for body in bodies] == [
        Target("token", f"t{n}", False) for n in (11, 12, 345)
    ]
    assert len(reader._templates) == 2  # by the number's length


def test_a_serial_number_outside_of_the_data_is_read_in_full() -> None:
    reader = Reader()

    good = dumps(token="a", android={"ttl": "3.5"})
    bodies = [dumps(token="a", notification={"title": f"1.{n}"}) for n in (1, 2)]

    assert isinstance(reader.read(good), Refusal)
    assert [reader.read(body) for body in bodies] == [Target("token", "a", False)] * 2
    assert len(reader._templates) == 2  # nothing was taken out of either


def test_a_serial_numbers_key_is_not_trusted_where_it_stands_for_something_else() -> None:
    reader = Reader()
    reader.read(dumps(token="a", data={"TTL": "1.5"}))

    sound = dumps(token="a", webpush={"headers": {"TTL": "2419200"}})
    faulty = dumps(token="a", webpush={"headers": {"TTL": "9999999"}})

    assert reader.read(sound) == Target("token", "a", False)
    assert isinstance(reader.read(faulty), Refusal)


def test_a_lookalike_in_the_data_is_not_taken_for_the_address() -> None:
    reader = Reader()
    bodies = [
        b'{"message":{"data":{"token":"%b"},"topic":"news"}}' % value for value in (b"a", b"b")
    ]

    assert [reader.read(body) for body in bodies] == [Target("topic", "news", False)] * 2


def test_of_repeated_keys_the_last_is_the_address() -> None:
    reader = Reader()
    bodies = [b'{"message":{"token":"%b","token":"real"}}' % value for value in (b"a", b"b")]

    assert [reader.read(body) for body in bodies] == [Target("token", "real", False)] * 2


def test_validate_only_belongs_to_the_template() -> None:
    reader = Reader()
    body = b'{"validate_only":%b,"message":{"token":"a"}}'

    assert reader.read(body % b"true") == Target("token", "a", True)
    assert reader.read(body % b"false") == Target("token", "a", False)


@given(
    st.dictionaries(st.sampled_from(["token", "fid", "topic", "k"]), st.text(max_size=4)),
    st.lists(st.text(max_size=6), min_size=2, max_size=4),
    st.sampled_from(["token", "fid", "topic"]),
)
def test_a_reader_that_knows_templates_says_what_a_fresh_one_says(
    data: dict[str, str], addresses: list[str], kind: str
) -> None:
    reader = Reader()
    for address in addresses:
        body = orjson.dumps({"message": {"data": data, kind: address}})
        assert reader.read(body) == read(body)


@pytest.mark.parametrize("spelling", ["fcm_options", "fcmOptions"])
def test_takes_both_spellings_of_a_field(spelling: str) -> None:
    label = {"analytics_label" if spelling == "fcm_options" else "analyticsLabel": "spring"}

    assert isinstance(read(dumps(token="t", **{spelling: label})), Target)
    assert fault(**{spelling: {next(iter(label)): "no spaces"}}) == (
        "message.fcm_options.analytics_label"
    )


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"data": {"google": "x"}}, "message.data"),
        ({"data": {"gcm.x": "x"}}, "message.data"),
        ({"data": {"message_type": "x"}}, "message.data"),
        ({"android": {"data": {"from": "x"}}}, "message.android.data"),
        ({"android": {"ttl": "-1s"}}, "message.android.ttl"),
        ({"android": {"ttl": "2419200.5s"}}, "message.android.ttl"),
        ({"android": {"notification": {"color": "red"}}}, "message.android.notification.color"),
        ({"apns": {"headers": {"apns-priority": "7"}}}, "message.apns.headers"),
        ({"apns": {"headers": {"apns-collapse-id": "é" * 33}}}, "message.apns.headers"),
        ({"apns": {"headers": {"apns-expiration": "soon"}}}, "message.apns.headers"),
        ({"webpush": {"headers": {"TTL": "2419201"}}}, "message.webpush.headers"),
        ({"webpush": {"headers": {"Urgency": "now"}}}, "message.webpush.headers"),
        (
            {"webpush": {"fcm_options": {"link": "http://example.org"}}},
            "message.webpush.fcm_options.link",
        ),
        ({"notification": {"title": 1}}, "message.notification.title"),
        ({"notification": "hi"}, "message.notification"),
        (
            {"android": {"notification": {"vibrate_timings": ["1s", 2]}}},
            "message.android.notification.vibrate_timings[1]",
        ),
    ],
)
def test_names_the_field_at_fault(message: dict[str, Any], field: str) -> None:
    assert fault(**message) == field


def test_null_stands_for_an_absent_field() -> None:
    assert read(dumps(token="t", data=None, topic=None)) == Target("token", "t", False)


@pytest.mark.parametrize("address", ["", "  ", "x" * (MAX_PAYLOAD_BYTES + 1)])
def test_refuses_an_address_that_cannot_be_one(address: str) -> None:
    found = read(dumps(token=address))

    assert isinstance(found, Refusal)
    assert found.problem == "message.token"


def test_the_payload_may_fill_its_limit_and_no_byte_more() -> None:
    frame = len(orjson.dumps({"k": ""}))

    assert isinstance(read(dumps(token="t", data={"k": "x" * (4_096 - frame)})), Target)
    assert fault(data={"k": "x" * (4_097 - frame)}) == "too big"


def test_topics_have_half_the_room() -> None:
    found = read(dumps(topic="news", data={"k": "x" * 2_100}))

    assert isinstance(found, Refusal)
    assert found.problem == "too big"


def test_a_condition_names_up_to_five_topics() -> None:
    five = " || ".join(f"'t{n}' in topics" for n in range(5))

    assert isinstance(read(dumps(condition=five)), Target)
    assert isinstance(read(dumps(condition=f"{five} || 't5' in topics")), Refusal)


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b"\xff", b'{"message": []}', b"{}"])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    assert isinstance(read(body), Refusal)
