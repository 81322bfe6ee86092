from __future__ import annotations

import pytest
from hpack import Decoder
from hypothesis import given
from hypothesis import strategies as st

from pushcore.transports.http2.frames import WireError
from pushcore.transports.http2.headers import (
    AnswerHead,
    AnswerHeads,
    RequestHeads,
    content_length,
)
from tests.pushcore.transports.http2.peer import FIELDS


def read(decoder: Decoder, block: bytes) -> list[tuple[str, str]]:
    return [(str(name), str(value)) for name, value in decoder.decode(block)]


START = [(":method", "POST"), (":scheme", "https")]


def test_a_thousandth_request_names_what_the_first_has_said() -> None:
    heads = RequestHeads(is_secure=True, fields=FIELDS | {"authorization": "x" * 1_000})
    assert len(heads.next_block()) > 1_000
    assert [len(heads.next_block()) for _ in range(3)] == [7, 7, 7]


@given(
    st.lists(
        st.one_of(
            st.just("next"),
            st.integers(0, 6_000),
            st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=4_000),
        ),
        max_size=20,
    )
)
def test_a_decoder_reads_what_was_meant_whatever_changes_in_between(
    moves: list[str | int],
) -> None:
    heads, fields = RequestHeads(is_secure=True, fields=FIELDS), FIELDS
    decoder = Decoder(max_header_list_size=1 << 20)
    for move in moves:
        if isinstance(move, int):
            heads.limit_table(move)
            decoder.max_allowed_table_size = max(move, 4_096)
        elif move != "next":
            fields = FIELDS | {"authorization": f"Bearer {move}"}
            heads.replace(fields)
        for size in (1, 4_096):
            block = heads.next_block() + content_length(size)
            assert read(decoder, block) == [
                *START,
                *fields.items(),
                ("content-length", str(size)),
            ]


def test_in_the_clear_the_scheme_is_http() -> None:
    block = RequestHeads(is_secure=False, fields=FIELDS).next_block()
    assert (":scheme", "http") in read(Decoder(), block)


def test_a_table_is_kept_no_larger_than_the_server_allows() -> None:
    heads = RequestHeads(is_secure=True, fields=FIELDS)
    heads.limit_table(100)
    decoder = Decoder()
    decoder.max_allowed_table_size = 100
    for _ in range(3):
        decoder.decode(heads.next_block())
    assert decoder.header_table_size == 100


def test_an_answers_status_and_wait_are_read() -> None:
    block = b"\x08\x03503" + b"\x0f\x26\x0230"  # retry-after is entry 53
    assert AnswerHeads().decode(block) == AnswerHead(503, "30")


def test_a_block_is_decoded_once() -> None:
    heads = AnswerHeads()
    assert heads.decode(b"\x88") is heads.decode(b"\x88")


def test_what_is_remembered_has_a_bound() -> None:
    heads = AnswerHeads()
    for number in range(2 * heads.MAX_KNOWN + 10):
        heads.decode(b"\x88\x00\x01n\x04" + b"%04d" % number)
    assert len(heads._known) == 10


@pytest.mark.parametrize("block", [b"\xbe", b"\x3f\xe1\x1f", b"\x08\x02no", b"\x0f", b"\x40\x0a"])
def test_a_block_that_makes_no_sense_is_an_error_of_the_wire(block: bytes) -> None:
    with pytest.raises(WireError):
        AnswerHeads().decode(block)


@given(st.binary(max_size=80))
def test_whatever_a_block_holds_it_is_a_head_or_an_error_of_the_wire(block: bytes) -> None:
    try:
        head = AnswerHeads().decode(block)
    except WireError:
        return
    assert isinstance(head.status, int)
