"""What the configuration has in store: for each target an outcome, for each answer a delay."""

from __future__ import annotations

import math
import random
import zlib
from bisect import bisect_right
from collections.abc import Collection
from itertools import cycle

from loadtests.fcm_emulator.behaviours import (
    EFFECTS,
    EXPLICIT_PREFIX,
    OK_PLAN,
    Plan,
    WireFault,
    explicit_plan,
)
from loadtests.fcm_emulator.config import Config, ConfigError

_LATENCIES = 16_384
_Z99 = 2.3263478740408408
_SCALE = 1 << 32
_GOLDEN = 0x9E3779B97F4A7C15


class Fates:
    """The fates under one configuration; the same for a target whenever and wherever it is asked.

    Raises ConfigError if the configuration needs what the wire cannot bring about.
    """

    def __init__(self, config: Config, wire_faults: Collection[WireFault]) -> None:
        self._wire_faults = wire_faults
        total, self._plans, self._bounds = 0.0, list[Plan](), list[int]()
        for share, plan in config.plans():
            self._check_wire(plan)
            total += share
            self._plans.append(plan)
            self._bounds.append(round(total * _SCALE))
        if config.reset_unread and WireFault.RESET not in wire_faults:
            raise ConfigError("this wire cannot reset streams: start with --wire h2")
        self._reset_unread = config.reset_unread
        self.salt = random.Random(config.seed).getrandbits(32)
        self._dice = random.Random(config.seed)
        self.next_delay_ms = cycle(_latencies(config)).__next__
        """Return the latency of the next answer."""

    def plan_of(self, address: str) -> Plan:
        """Return a target's fate: its own words for it, else its place in the shares.

        Raises ValueError for an explicit target that makes no sense, or that the wire cannot serve.
        """
        if address.startswith(EXPLICIT_PREFIX):
            plan = explicit_plan(address)
            self._check_wire(plan)
            return plan
        if not self._bounds:
            return OK_PLAN
        place = zlib.crc32(address.encode(), self.salt)
        # CRC-32 is linear: a salt alone would only shift everybody alike. So multiply.
        place = ((place ^ self.salt) * _GOLDEN >> 29) & 0xFFFFFFFF
        index = bisect_right(self._bounds, place)
        return self._plans[index] if index < len(self._plans) else OK_PLAN

    def resets_unread(self) -> bool:
        """Whether the next request is reset before it is read."""
        return self._dice.random() < self._reset_unread

    def _check_wire(self, plan: Plan) -> None:
        fault = EFFECTS[plan.behaviour].fault
        if fault is not None and fault not in self._wire_faults:
            raise ConfigError(f"this wire cannot do {plan.behaviour}: start with --wire h2")


def _latencies(config: Config) -> list[float]:
    """Return the delays (ms) that are dealt out in turn: log-normal if a p99 is set."""
    if config.latency_p99_ms is None or not config.latency_ms:
        return [config.latency_ms]
    dice = random.Random(config.seed)
    mu = math.log(config.latency_ms)
    sigma = (math.log(config.latency_p99_ms) - mu) / _Z99
    return [dice.lognormvariate(mu, sigma) for _ in range(_LATENCIES)]
