"""What the loop around libcurl owes to the process it runs in."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pycurl
import pytest

from pushcore.transports.curl_loop import CurlLoop, deferred_signals
from tests.pushcore.transports.wire import PATH, WireServer, message


class SoftLimit(Exception):
    """What Celery's handler of SIGUSR1 raises."""


@pytest.fixture(autouse=True)
def _soft_limit() -> Iterator[None]:
    def give_up(*_: object) -> None:
        raise SoftLimit

    before = signal.signal(signal.SIGUSR1, give_up)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.fixture
def loop() -> CurlLoop:
    return CurlLoop(connections=1, max_streams=10)


def transfer(server: WireServer) -> pycurl.Curl:
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, server.endpoint + PATH)
    curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE)
    curl.setopt(pycurl.HTTPHEADER, ["Content-Type: application/json", "Authorization: none"])
    curl.setopt(pycurl.POSTFIELDS, message("ok.1"))
    return curl


def step_to_the_end(loop: CurlLoop) -> None:
    ended: list[int] = []
    while not ended:
        loop.step(0.05, finish=lambda _curl, code, _error: ended.append(code))


def test_a_soft_limit_that_strikes_inside_of_a_callback_is_raised_after_it(
    serve: Callable[..., WireServer], loop: CurlLoop
) -> None:
    written: list[bytes] = []

    def write(chunk: bytes) -> None:
        signal.raise_signal(signal.SIGUSR1)
        written.append(chunk)

    curl = transfer(serve(secure=False))
    curl.setopt(pycurl.WRITEFUNCTION, write)
    loop.add(curl)
    with pytest.raises(SoftLimit):
        step_to_the_end(loop)
    assert len(written) == 1
    loop.close([curl])


def test_deferred_signals_arrive_at_the_end_of_the_block() -> None:
    reached = []

    def strike_within_a_block() -> None:
        with deferred_signals():
            signal.raise_signal(signal.SIGUSR1)
            reached.append("end of block")

    with pytest.raises(SoftLimit):
        strike_within_a_block()
    assert reached == ["end of block"]


def test_a_loop_can_be_closed_with_transfers_under_way(
    serve: Callable[..., WireServer], loop: CurlLoop
) -> None:
    server = serve(secure=False)
    curls = [transfer(server) for _ in range(3)]
    for curl in curls[:2]:
        loop.add(curl)
    loop.step(0, finish=lambda *_: None)
    loop.close(curls)
    assert all(curl.closed for curl in curls)
