"""One pace for all workers of an FCM project, kept in Redis by one atomic script on its clock.

::

    pacer = Pacer(client, project_key="my-project", quota_per_minute=600_000)
    grant = pacer.take(100, priority=Priority.NORMAL)
    # send grant.granted messages within HOLD_S; ask again in grant.wait_s

The rules: FCM counts the messages of a project in windows of a minute whose phase nobody knows,
and refuses what is over ("Quotas and limits"). So no 60 seconds whatsoever may see more than the
quota, as it arrives at Google. What is granted evenly does not arrive evenly: a burst of up to
`BURST_S` is allowed, so that workers need not ask for every message, and a permit may arrive up to
`LATENESS_S` later than another (kept by a worker up to `HOLD_S`, on the wire for the rest). Within
any 60 s arrives at most what was granted in 60 + LATENESS_S seconds, which is at most what that
time and the burst allow. With an interval of (60 + LATENESS_S + BURST_S) / quota between permits
that is the quota: 98.4 % of it is used, and it is never exceeded.

High priority finds room at any time: normal and low have buckets of their own with a share of the
pace, and in the common bucket may run less far ahead of time, so that a steady demand of high
priority goes first.

Where Redis cannot be asked nothing is granted: sending waits.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

import redis
from redis.client import Pipeline

from pushcore.messages import Priority

logger = logging.getLogger(__name__)

BURST_S: Final = 0.25
"""How far grants may run ahead of an even pace, in seconds."""
LATENESS_S: Final = 0.75
"""By how much two permits granted together may arrive apart, in seconds."""
HOLD_S: Final = 0.25
"""For how long a permit may be kept before its message is started, in seconds."""
QUOTA_WAIT_S: Final = 60.0
"""How long a project is blocked after a 429 that does not say (Google's own rule)."""
STORE_WAIT_S: Final = 1.0
"""When to ask again where Redis did not answer."""

_KEEP: Final = 0.7
_LEAST: Final = 0.05
_RECOVERY_PER_S: Final = 0.05 / 60
"""A pace lowered once to 70 % is back at 100 % after six minutes."""
_INCIDENT_S: Final = 10.0
_RANKS: Final = {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 2}
_BUCKETS: Final = ("all", "bulk", "low")
"""By rank, as the script names them: who is less urgent counts in those before too."""
_FOLDER: Final = Path(__file__).parent


class Limit(StrEnum):
    """What keeps messages from starting."""

    NONE = ""
    QUOTA = "quota"
    """The project's pace, or the share of it that this priority may use."""
    CAMPAIGN = "campaign"
    """The campaign's own pace."""
    BLOCKED = "blocked"
    """The provider refused for want of quota; nobody sends until it is over."""
    STORE = "store"
    """Redis did not answer: without it nobody knows what the others send."""


class Grant(NamedTuple):
    """What may be started now."""

    granted: int
    """Messages that may start within `HOLD_S`."""
    wait_s: float
    """In how many seconds it is worth asking for more; 0 where more is there already."""
    limited_by: Limit


class Pace(NamedTuple):
    """How a project stands, for people to look at."""

    quota_per_minute: int
    factor: float
    """The share of the pace in force: below 1 after a 429."""
    blocked_for_s: float
    """Seconds until the project is free again after a 429; 0 where it is."""


class Pacer:
    """The shared pace of one FCM project, seen from one process.

    `client` needs short socket timeouts (a second): the sending loop waits for it.
    `quota_per_minute` is the project's quota, 0 for none; it may be assigned at any time and is in
    force at the next `take` (all processes should agree on it). `normal_share` is what normal and
    low together may use of the pace, `low_share` what low may. With `ramp_s` the pace grows from
    nearly 0 to full in that time, whenever the project was idle for as long. `clock` (seconds)
    stands in for Redis's own clock in simulations.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        project_key: str,
        quota_per_minute: int,
        normal_share: float = 0.9,
        low_share: float = 0.8,
        ramp_s: float = 0.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.project_key = project_key
        self.quota_per_minute = quota_per_minute
        self._client = client
        self._key = f"pushcore:pace:project:{project_key}"
        self._shares = (normal_share, low_share)
        self._ramp_s = ramp_s
        self._clock = clock
        self._take = client.register_script((_FOLDER / "pacing.lua").read_text())
        self._penalise = client.register_script((_FOLDER / "pacing_penalty.lua").read_text())
        self._lost = False

    def take(
        self,
        wanted: int,
        *,
        priority: Priority,
        campaign_key: str = "",
        campaign_rate: float | None = None,
    ) -> Grant:
        """Take up to `wanted` (≥ 1) permits; never blocks for longer than Redis does.

        `campaign_rate` is the campaign's own limit in messages per second over all projects and
        workers, None for none; it may change from call to call. `campaign_key` names the campaign.
        """
        interval, tolerance = _spacing(self.quota_per_minute)
        own_interval = 1.0 / campaign_rate if campaign_rate else 0.0
        own_tolerance = BURST_S if own_interval < BURST_S else 0.0
        keys = [self._key, f"pushcore:pace:campaign:{campaign_key}"]
        rules = (interval, tolerance, *self._shares, self._ramp_s, _RECOVERY_PER_S)
        order = (self._now(), wanted, _RANKS[priority])
        arguments: list[str | float] = [*order, *rules, own_interval, own_tolerance]
        try:
            granted, wait, limit = self._take(keys=keys, args=arguments)
        except redis.RedisError as exc:
            self._note_lost(exc)
            return Grant(0, STORE_WAIT_S, Limit.STORE)
        self._lost = False
        return Grant(int(granted), float(wait), Limit(_decoded(limit)))

    def announce(self, batch: str, *, messages: int, for_s: float) -> None:
        """Let whoever looks how far the pace is ahead know of a batch that will want permits.

        It counts until it is withdrawn, `for_s` seconds at most. Does nothing where Redis does not
        answer.
        """
        key = f"{self._key}:announced"
        with self._client.pipeline(transaction=False) as pipe:
            pipe.hset(key, batch, f"{messages} {self._local_now() + for_s!r}")
            pipe.pexpire(key, int(for_s * 1_000))
            self._tell(pipe)

    def withdraw(self, batch: str) -> None:
        """Take an announced batch back: it wants no more permits."""
        with self._client.pipeline(transaction=False) as pipe:
            pipe.hdel(f"{self._key}:announced", batch)
            self._tell(pipe)

    def ahead_s(
        self, *, priority: Priority, campaign_key: str = "", campaign_rate: float | None = None
    ) -> float:
        """Return by how many seconds what was granted or announced runs ahead; takes nothing.

        Near 0 while the pace is not used up, about a burst or more where others wait for permits
        already, and the rest of the block where the project is blocked. 0 where Redis does not
        answer. The arguments are those of `take`.
        """
        buckets = _BUCKETS[: _RANKS[priority] + 1] if self.quota_per_minute > 0 else ()
        with self._client.pipeline(transaction=False) as pipe:
            pipe.hmget(self._key, ["blocked_until", *buckets])
            pipe.hget(f"pushcore:pace:campaign:{campaign_key}", "tat")
            pipe.hvals(f"{self._key}:announced")
            pipe.time()
            try:
                stored, own, announced, (seconds, micros) = pipe.execute()
            except redis.RedisError as exc:
                self._note_lost(exc)
                return 0.0
        now = self._clock() if self._clock else seconds + micros / 1e6
        used_until = [*stored, own if campaign_rate else None]
        granted = max([0.0, *(float(until) - now for until in used_until if until is not None)])
        rate = self.rate_per_second(priority)
        return granted + (_messages(announced, now=self._local_now()) / rate if rate else 0.0)

    def penalise(self, retry_after_s: float | None) -> None:
        """Block the project for everybody, after a 429 of its quota, and lower its pace.

        `retry_after_s` is the provider's Retry-After, None where it sent none. Further refusals of
        the same incident lengthen the block and do not lower the pace again. Where Redis does not
        answer nothing is granted anyway.
        """
        wait_s = QUOTA_WAIT_S if retry_after_s is None else retry_after_s
        rules = (_KEEP, _LEAST, _RECOVERY_PER_S, _INCIDENT_S)
        arguments: list[str | float] = [self._now(), wait_s, *rules]
        try:
            self._penalise(keys=[self._key], args=arguments)
        except redis.RedisError as exc:
            self._note_lost(exc)

    def state(self) -> Pace:
        """Return how the project stands now.

        Raises:
            redis.RedisError: Redis did not answer.

        """
        blocked_until, factor, factor_at = self._client.hmget(
            self._key, ["blocked_until", "factor", "factor_at"]
        )
        seconds, micros = self._client.time()
        now = self._clock() if self._clock else seconds + micros / 1e6
        grown = (now - float(factor_at)) * _RECOVERY_PER_S if factor_at else 0.0
        return Pace(
            quota_per_minute=self.quota_per_minute,
            factor=min(1.0, float(factor) + grown) if factor else 1.0,
            blocked_for_s=max(0.0, float(blocked_until) - now) if blocked_until else 0.0,
        )

    def rate_per_second(self, priority: Priority, *, factor: float = 1.0) -> float | None:
        """Return how many messages a second this priority may start if nobody else sends.

        `factor` is that of `state()`, for what is in force now. None stands for no limit.
        """
        interval, _ = _spacing(self.quota_per_minute)
        share = min((1.0, *self._shares)[: _RANKS[priority] + 1])
        return factor * share / interval if interval else None

    def _local_now(self) -> float:
        """Return the time for announcements: hints, for which this machine's clock will do."""
        return self._clock() if self._clock else time.time()

    def _tell(self, pipe: Pipeline) -> None:
        try:
            pipe.execute()
        except redis.RedisError as exc:
            self._note_lost(exc)

    def _now(self) -> str:
        return repr(self._clock()) if self._clock else ""

    def _note_lost(self, exc: redis.RedisError) -> None:
        if not self._lost:
            logger.warning("Redis does not answer, so nothing is sent. %s: %s", self._key, exc)
        self._lost = True


def _spacing(quota_per_minute: int) -> tuple[float, float]:
    """Return the interval between permits and how far they may run ahead, in seconds.

    A small quota gets a burst of three messages, so that each priority has its place in it; a tiny
    one none.
    """
    if quota_per_minute <= 0:
        return 0.0, 0.0
    window_s = 60.0 + LATENESS_S
    interval = (window_s + BURST_S) / quota_per_minute
    if 2 * interval <= BURST_S:
        return interval, BURST_S
    if quota_per_minute < 10:
        return window_s / quota_per_minute, 0.0
    interval = window_s / (quota_per_minute - 2)
    return interval, 2 * interval


def _messages(announced: Sequence[bytes | str], *, now: float) -> int:
    """Return how many messages those batches have that are still announced."""
    told = (_decoded(value).split() for value in announced)
    return sum(int(messages) for messages, until in told if float(until) > now)


def _decoded(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
