"""The rulings, decided without a server and on a clock of the test's own."""

from __future__ import annotations

from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
import pytest

from loadtests.fcm_emulator.behaviours import Behaviour, WireFault
from loadtests.fcm_emulator.config import Config, ConfigError, RetryAfterForm
from loadtests.fcm_emulator.judge import Judge, Ruling

START = 1_800_000_000.0
CALM = Config(latency_ms=0, quota_per_minute=0)


class Bench:
    """A judge, a clock, and a sender with an access token."""

    def __init__(self, config: Config = CALM, **kwargs: Any) -> None:
        self.now = START
        self.judge = Judge(config, clock=lambda: self.now, **kwargs)
        token = self.judge.access.issue(project=None, now=START, lifetime_s=1e9)
        self.authorization = f"Bearer {token}"

    def send(self, token: str, *, project: str = "p", **parts: Any) -> Ruling:
        body = orjson.dumps({"message": {"token": token, **parts}})
        return self.judge.send(project, self.authorization, body)

    @property
    def stats(self) -> dict[str, Any]:
        return self.judge.ledger.as_json()


def test_the_share_of_an_outcome_is_the_share_of_targets_that_meet_it() -> None:
    bench = Bench(replace(CALM, outcomes={"unregistered": 0.1, "mismatch": 0.05}))

    statuses = [bench.send(f"device-{n:06}").status for n in range(20_000)]

    assert statuses.count(404) == pytest.approx(2_000, rel=0.1)
    assert statuses.count(403) == pytest.approx(1_000, rel=0.15)
    assert statuses.count(200) == 20_000 - statuses.count(404) - statuses.count(403)


def test_the_same_seed_gives_each_target_the_same_outcome_in_another_process_too() -> None:
    config = replace(CALM, outcomes={"unregistered": 0.5}, seed=7)
    first, second = Bench(config), Bench(config)

    dead = [n for n in range(16) if first.send(f"device-{n}").status == 404]

    assert dead == [n for n in range(16) if second.send(f"device-{n}").status == 404]
    # Known values: the hash may not depend on the process, as Python's own does.
    assert dead == [1, 2, 6, 7, 8, 12, 15]


def test_when_watched_targets_are_accepted_is_noted_from_the_watch_to_the_reset() -> None:
    bench = Bench(replace(CALM, outcomes={"unregistered": 0.5}, seed=7))
    bench.send("device-0")
    bench.judge.ledger.watch(["device-0", "device-1", "device-3"])  # device-1 is a dead one
    for target in ("device-0", "device-1", "device-2", "device-3"):
        bench.now += 1
        bench.send(target)

    assert bench.judge.ledger.watched() == [START + 1, START + 4]
    bench.judge.ledger.watch(["device-4"])
    assert bench.judge.ledger.watched() == []
    bench.send("device-0")
    assert bench.judge.ledger.watched() == []


def test_another_seed_chooses_other_targets_independently() -> None:
    one, two = (Bench(replace(CALM, outcomes={"unregistered": 0.5}, seed=s)) for s in (1, 2))
    tokens = [f"device-{n}" for n in range(4_000)]

    both = sum(one.send(t).status == two.send(t).status for t in tokens)

    assert both == pytest.approx(2_000, rel=0.1)


def test_a_passing_trouble_ends_after_as_many_messages_as_it_says() -> None:
    bench = Bench(replace(CALM, outcomes={"unavailable.2": 1.0}))

    assert [bench.send("a").status for _ in range(4)] == [503, 503, 200, 200]
    assert bench.send("b").status == 503


def test_a_final_refusal_stays() -> None:
    bench = Bench()

    assert [bench.send("e1.unregistered.a").status for _ in range(3)] == [404, 404, 404]
    assert bench.stats["sends_after_final"] == 2


def test_a_message_after_acceptance_counts_as_sent_after_the_last_word() -> None:
    bench = Bench()

    bench.send("a")
    bench.send("a")

    stats = bench.stats
    assert (stats["accepted"], stats["accepted_unique"], stats["duplicates"]) == (2, 1, 1)
    assert stats["sends_after_final"] == 1


@pytest.mark.parametrize(("waited_s", "early"), [(9.9, 1), (10.0, 0)])
def test_a_retry_sooner_than_ten_seconds_is_counted(waited_s: float, early: int) -> None:
    bench = Bench()
    bench.send("e1.unavailable.a")

    bench.now += waited_s
    bench.send("e1.unavailable.a")

    assert bench.stats["early_retries"] == early


@pytest.mark.parametrize(("waited_s", "early"), [(29.0, 1), (30.0, 0)])
def test_a_retry_sooner_than_retry_after_is_counted(waited_s: float, early: int) -> None:
    bench = Bench()
    bench.send("e1.quota_device.1.30.a")

    bench.now += waited_s
    bench.send("e1.quota_device.1.30.a")

    assert bench.stats["early_retries"] == early


def test_a_refused_stream_may_be_retried_at_once() -> None:
    bench = Bench()

    assert bench.send("e1.refused.a").fault is WireFault.REFUSED
    assert bench.send("e1.refused.a").status == 200
    assert bench.stats["early_retries"] == 0


def test_the_quota_refills_in_full_each_minute_and_counts_all_but_the_429() -> None:
    bench = Bench(replace(CALM, quota_per_minute=3))
    first_429 = _exhaust(bench)

    wait_s = int(first_429.retry_after or "0")
    bench.now += wait_s
    answers = [bench.send(f"e1.unregistered.{n}").status for n in range(5)]

    assert 1 <= wait_s <= 60
    assert answers == [404, 404, 404, 429, 429]
    bench.now += 60
    assert bench.send("e1.ok.z").status == 200


def _exhaust(bench: Bench) -> Ruling:
    for n in range(1_000):
        ruling = bench.send(f"e1.ok.{n}")
        if ruling.status == 429:
            return ruling
    raise AssertionError("no quota")


def test_a_request_refused_for_its_schema_counts_against_the_quota() -> None:
    bench = Bench(replace(CALM, quota_per_minute=2))

    assert bench.send("a", titel="?").status == 400
    assert bench.send("a", titel="?").status == 400
    assert bench.send("a").status == 429


def test_projects_have_quotas_and_windows_of_their_own() -> None:
    bench = Bench(replace(CALM, quota_per_minute=1))

    waits = set()
    for project in ("p", "q", "r"):
        assert bench.send("a", project=project).status == 200
        waits.add(bench.send("a", project=project).retry_after)

    assert len(waits) == 3


def test_retry_after_as_a_date_says_the_same_time() -> None:
    bench = Bench(replace(CALM, quota_per_minute=1, retry_after=RetryAfterForm.DATE))

    sent = _exhaust(bench).retry_after

    assert sent is not None
    bench.now = parsedate_to_datetime(sent).timestamp()
    assert bench.send("a").status == 200


def test_the_latency_is_log_normal_where_a_99th_percentile_is_set() -> None:
    bench = Bench(replace(CALM, latency_ms=20, latency_p99_ms=200))

    delays = sorted(bench.send(f"d{n}").delay_ms for n in range(10_000))

    assert delays[5_000] == pytest.approx(20, rel=0.1)
    assert delays[9_900] == pytest.approx(200, rel=0.2)


def test_fids_are_targets_like_tokens() -> None:
    bench = Bench()
    body = orjson.dumps({"message": {"fid": "e1.bad_token.a"}})

    ruling = bench.judge.send("p", bench.authorization, body)

    details = orjson.loads(ruling.body)["error"]["details"]
    assert details[1]["fieldViolations"][0]["field"] == "message.fid"


@pytest.mark.parametrize("behaviour", Behaviour)
def test_every_behaviour_can_be_asked_for_by_name(behaviour: Behaviour) -> None:
    ruling = Bench().send(f"e1.{behaviour}.x")

    assert bool(ruling.status) != bool(ruling.fault)


def test_an_undelivered_answer_settles_nothing_for_its_sender() -> None:
    bench = Bench()
    for token in ("a", "e1.unregistered.x"):
        bench.judge.undelivered(bench.send(token))

    bench.send("a")
    bench.send("e1.unregistered.x")

    assert bench.stats["sends_after_final"] == 0
    assert bench.stats["accepted_twice"] == 1


def test_refuses_a_configuration_that_the_wire_cannot_bring_about() -> None:
    bench = Bench(wire_faults={WireFault.HANG})

    with pytest.raises(ConfigError, match="cannot do reset"):
        bench.judge.configure(replace(CALM, outcomes={"reset": 0.1}))

    assert bench.judge.config == CALM


def test_reset_forgets_receipts_and_what_targets_have_met() -> None:
    bench = Bench()
    bench.send("e1.unavailable.a")
    bench.send("b")

    bench.judge.reset()

    assert bench.stats["received"] == 0
    assert bench.judge.ledger.projects["p"].count_of("b") == 0
    assert bench.send("e1.unavailable.a").status == 503


def test_the_rate_is_told_per_tenth_of_a_second() -> None:
    bench = Bench()
    bench.send("a")
    bench.send("e1.unregistered.a")
    bench.now += 0.2
    bench.send("b")

    assert bench.stats["rate"] == {
        "step_ms": 100,
        "started_at": START,
        "received": [2, 0, 1],
        "accepted": [1, 0, 1],
    }
    assert (bench.stats["first_accept_at"], bench.stats["last_accept_at"]) == (START, START + 0.2)
