"""What only the h2 wire can do, as libcurl sees it."""

from __future__ import annotations

import pytest

from loadtests.fcm_emulator.control import ControlError
from loadtests.fcm_emulator.process import Emulator
from tests.loadtests.fcm_emulator.clients import Wire, message


def counts(wire: Wire, *tokens: str) -> list[int]:
    return wire.emulator.control.counts(tokens)


def test_reset_breaks_the_stream_and_accepts_nothing(faulty: Wire) -> None:
    first, second = faulty.post_all([message("e1.reset.a"), message("e1.ok.a")])

    assert first.status == 0
    assert "INTERNAL_ERROR" in first.error
    assert second.status == 200
    assert counts(faulty, "e1.reset.a", "e1.ok.a") == [0, 1]
    assert faulty.send("e1.reset.a").status == 200


def test_accept_reset_breaks_the_stream_of_a_message_it_accepted(faulty: Wire) -> None:
    reply = faulty.send("e1.accept_reset.a")

    assert "INTERNAL_ERROR" in reply.error
    assert counts(faulty, "e1.accept_reset.a") == [1]


def test_refused_stream_says_that_nothing_was_processed(faulty: Wire) -> None:
    reply = faulty.send("e1.refused.always.a")

    # libcurl believes it: it tries five times more on new connections, and only then gives up.
    assert (reply.status, reply.connections) == (0, 6)
    assert faulty.emulator.control.stats()["by_status"] == {"refused": 6}
    assert counts(faulty, "e1.refused.always.a") == [0]


def test_drop_takes_all_that_is_in_flight_with_it(faulty: Wire) -> None:
    faulty.emulator.control.configure(latency_ms=50)

    replies = faulty.post_all([message("e1.ok.a"), message("e1.drop.always.a")])

    assert [r.status for r in replies][1] == 0
    assert counts(faulty, "e1.drop.always.a") == [0]


def test_accept_drop_closes_on_a_message_it_accepted(faulty: Wire) -> None:
    reply = faulty.send("e1.accept_drop.a")

    assert reply.status == 0
    assert counts(faulty, "e1.accept_drop.a") == [1]


def test_goaway_answers_the_streams_below_and_a_new_connection_serves_the_rest(
    faulty: Wire,
) -> None:
    faulty.emulator.control.configure(latency_ms=100)
    tokens = ["e1.ok.1", "e1.ok.2", "e1.goaway.a", "e1.ok.3"]

    replies = faulty.post_all([message(t) for t in tokens])

    # libcurl sends what is surely unprocessed again by itself, over another connection.
    assert [r.status for r in replies] == [200, 200, 200, 200]
    assert sum(r.connections for r in replies) == 2
    assert counts(faulty, *tokens) == [1, 1, 1, 1]


def test_a_share_of_requests_is_reset_before_its_body_is_read(faulty: Wire) -> None:
    faulty.emulator.control.configure(reset_unread=1.0)

    reply = faulty.send("e1.ok.a")

    stats = faulty.emulator.control.stats()
    assert reply.status == 0
    assert (stats["received"], stats["by_status"]) == (0, {"reset_unread": 1})


def test_an_accepted_message_whose_answer_was_lost_may_be_sent_again(faulty: Wire) -> None:
    faulty.emulator.control.configure(latency_ms=400)

    given_up = faulty.post(message("e1.ok.late"), timeout_s=0.1)
    faulty.emulator.control.configure(latency_ms=0)
    # The answer to the first falls due, unheard, before this one is sent.
    faulty.send("e1.slow.500.wait")
    again = faulty.send("e1.ok.late")

    stats = faulty.emulator.control.stats()
    assert (given_up.status, again.status) == (0, 200)
    assert stats["accepted_twice"] == 1
    assert stats["sends_after_final"] == 0


def test_granian_refuses_what_it_cannot_do(fcm_emulator: Emulator) -> None:
    with pytest.raises(ControlError, match="this wire cannot do drop"):
        fcm_emulator.control.configure(outcomes={"drop": 0.5})
    with Wire(fcm_emulator) as wire:
        reply = wire.send("e1.refused.a")

    assert fcm_emulator.control.config()["outcomes"] == {}
    assert reply.status == 400
    assert "--wire h2" in reply.json["error"]["message"]
