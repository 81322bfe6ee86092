"""A fleet that sends one campaign: what waits for what, batch by batch, in simulated time.

A sending process takes the next batch of its project, claims it in PostgreSQL, waits for the pace,
spends its processor time, waits one latency, settles. Processors, PostgreSQL and the broker are
queues with a number of servers; the pace is GCRA, as `pushcore.pacing` has it. Large audiences are
simulated in bundles of batches: `bundle` of them count as one that costs as much together.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import simpy

from loadtests.simulation.costs import BATCH, FIRST_SLICE, MEASURED, Costs

EVENTS_MOST = 20_000
"""Bundles simulated at most: more make no figure better, only the run longer."""
Steps = Generator[simpy.Event, Any, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What is there to send with, and to whom."""

    devices: int
    projects: int = 1
    machines: int = 1
    """Of workers."""
    cores: int = 2
    """Of each worker machine."""
    processes: int = 4
    """That send, on each worker machine."""
    quota_per_minute: int = 600_000
    """Of each project; 0 for none."""
    database_cores: int = 0
    """PostgreSQL's own; 0: it shares the first worker machine, as do broker and emulator."""
    brokers: int = 1
    """Redis or RabbitMQ nodes among which the queues are divided."""
    costs: Costs = MEASURED


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What the model says of a fleet."""

    seconds: float
    messages_per_s: float
    busy: dict[str, float]
    """Part → the share of its time that it worked, 0…1; `quota`: the share of it used."""

    @property
    def bottleneck(self) -> str:
        """The part that is busiest."""
        return max(self.busy, key=lambda part: self.busy[part])


def forecast(fleet: Fleet) -> Forecast:
    """Simulate one campaign over the fleet, from launch to the last settlement."""
    return _Run(fleet).forecast()


class _Part:
    """Something with a number of servers, and how long they worked."""

    def __init__(self, env: simpy.Environment, servers: int) -> None:
        self.resource = simpy.Resource(env, capacity=servers)
        self.worked_s = 0.0
        self._env = env

    def work(self, seconds: float) -> Steps:
        with self.resource.request() as turn:
            yield turn
            self.worked_s += seconds
            yield self._env.timeout(seconds)

    def share(self, elapsed_s: float) -> float:
        return self.worked_s / (elapsed_s * self.resource.capacity)


class _Project:
    """One FCM project: what is left to send, and when the pace lets the next bundle go."""

    def __init__(self, bundles: int, seconds_per_bundle: float) -> None:
        self.left = bundles
        self._seconds_per_bundle = seconds_per_bundle
        self._free_at = 0.0

    def reserve(self, now: float) -> float:
        """Return how long the next bundle has to wait."""
        begins = max(now, self._free_at)
        self._free_at = begins + self._seconds_per_bundle
        return begins - now


class _Run:
    """One simulated campaign."""

    def __init__(self, fleet: Fleet) -> None:
        batches = math.ceil(fleet.devices / BATCH)
        self._fleet = fleet
        self._bundle = max(1, math.ceil(batches / EVENTS_MOST))
        self._env = simpy.Environment()
        self._machines = [_Part(self._env, fleet.cores) for _ in range(fleet.machines)]
        shared = self._machines[0]
        own = fleet.database_cores
        self._database = _Part(self._env, own) if own else shared
        self._brokers = [_Part(self._env, 1) for _ in range(fleet.brokers)] if own else [shared]
        self._counters = _Part(self._env, 1)
        per_project = math.ceil(batches / self._bundle / fleet.projects)
        pace = fleet.quota_per_minute / 60
        seconds = self._bundle * BATCH / pace if pace else 0.0
        self._projects = [_Project(per_project, seconds) for _ in range(fleet.projects)]

    def forecast(self) -> Forecast:
        fleet = self._fleet
        for index in range(fleet.machines * fleet.processes):
            self._env.process(self._sender(index))
        self._env.run()
        elapsed = self._env.now
        busy = {"workers": _mean([one.share(elapsed) for one in self._machines])}
        busy["counters"] = self._counters.share(elapsed)
        if fleet.database_cores:
            busy["PostgreSQL"] = self._database.share(elapsed)
            busy["broker"] = _mean([one.share(elapsed) for one in self._brokers])
        rate = fleet.devices / elapsed
        if fleet.quota_per_minute:
            busy["quota"] = rate / (fleet.quota_per_minute / 60 * fleet.projects)
        return Forecast(seconds=elapsed, messages_per_s=rate, busy=busy)

    def _sender(self, index: int) -> Steps:
        """Do what a sending process does, until nothing is left of any project."""
        fleet, costs, env = self._fleet, self._fleet.costs, self._env
        machine = self._machines[index % fleet.machines]
        broker = self._brokers[index % len(self._brokers)]
        yield env.timeout(costs.plan_s * FIRST_SLICE)
        while project := self._next_project(index):
            project.left -= 1
            yield from broker.work(costs.broker_cpu * self._bundle)
            yield from machine.work(costs.message_cpu * self._bundle)
            yield from self._database.work(costs.database_cpu / 2 * self._bundle)
            yield env.timeout(project.reserve(env.now))
            yield from self._send(machine)
            yield from self._database.work(costs.database_cpu / 2 * self._bundle)
            yield from self._counters.work(costs.counters_s * self._bundle)

    def _send(self, machine: _Part) -> Steps:
        """Spend the processor's time of a bundle, and wait for its answers."""
        costs, fleet = self._fleet.costs, self._fleet
        cpu = costs.send_cpu + costs.settle_cpu
        if not fleet.database_cores:  # everything shares one machine: the emulator, too
            cpu += costs.emulator_cpu + costs.aside_cpu
        yield from machine.work(cpu * self._bundle)
        waits = math.ceil(BATCH / costs.in_flight) * self._bundle
        yield self._env.timeout(waits * costs.latency_s)

    def _next_project(self, index: int) -> _Project | None:
        """Return the project that the process serves: its own while it has work, then any."""
        count = len(self._projects)
        for step in range(count):
            project = self._projects[(index + step) % count]
            if project.left > 0:
                return project
        return None


def _mean(shares: list[float]) -> float:
    return sum(shares) / len(shares)
