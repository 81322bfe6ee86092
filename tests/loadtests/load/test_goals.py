from __future__ import annotations

from loadtests.load.calls import Call
from loadtests.load.goals import verdicts


def calls(name: str, p99: float, count: int = 200) -> Call:
    return Call(name=name, count=count, failures=0, p50=1, p95=2, p99=p99)


def test_what_took_no_longer_than_its_goal_has_met_it() -> None:
    sending = [calls("send", 150), calls("stats", 51), calls("list", 9_000)]
    said = verdicts([calls("send", 20), calls("stats", 10)], sending)
    assert [(one.call, one.is_met) for one in said] == [("send", True), ("stats", False)]
    assert said[0].sentence() == (
        "send: p99 150 ms beside the campaign (200 calls), 20 ms with nothing sent;"
        " the goal of 150 ms is met."
    )


def test_what_nobody_asked_for_has_met_nothing() -> None:
    [send, stats] = verdicts([], [calls("send", 1)])
    assert (send.idle_p99_ms, send.is_met, stats.is_met) == (None, True, False)
    assert stats.sentence() == "stats: nobody asked for it beside the campaign."
