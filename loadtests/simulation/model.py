"""A fleet that sends one campaign: what waits for what, batch by batch, in simulated time.

One process plans; the others take whatever is planned, of the project that can start soonest (as
`campaigns.claiming` does), claim it in PostgreSQL, wait for the pace, spend their processor time,
wait for the answers, and settle. Processors, PostgreSQL, broker and the campaign's row are queues
with a number of servers. Large audiences are simulated in bundles of batches, each of which costs
as much as its batches together.

Left out: failures and retries, other campaigns, networks, and the moment between two waves.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import simpy

from loadtests.simulation.costs import BATCH, FIRST_SLICE, MEASURED, SLICE, Costs

BUNDLES_MOST = 20_000
"""More make no figure better, only the run longer."""
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
    """One FCM project: what is left of it, and when its pace lets the next bundle go."""

    def __init__(self, bundles: int, seconds_per_bundle: float) -> None:
        self.unplanned = bundles
        self.planned = 0
        self.waiting = 0
        self.free_at = 0.0
        self._seconds_per_bundle = seconds_per_bundle

    def plan(self, size: float) -> int:
        """Take the next slice's bundles, each of so many batches, out of what is unplanned."""
        batches = min(SLICE, 2 * self.planned * size or FIRST_SLICE)
        bundles = min(self.unplanned, max(1, round(batches / size)))
        self.unplanned -= bundles
        self.planned += bundles
        return bundles

    def take(self, now: float) -> float:
        """Take a bundle; return how long it has to wait."""
        self.waiting -= 1
        begins = max(now, self.free_at)
        self.free_at = begins + self._seconds_per_bundle
        return begins - now


class _Run:
    """One simulated campaign."""

    def __init__(self, fleet: Fleet) -> None:
        batches = math.ceil(fleet.devices / BATCH)
        bundles = min(batches, BUNDLES_MOST)
        self._fleet = fleet
        self._size = batches / bundles
        """Batches of a bundle."""
        self._env = simpy.Environment()
        self._machines = [_Part(self._env, fleet.cores) for _ in range(fleet.machines)]
        shared = self._machines[0]
        own = fleet.database_cores
        self._database = _Part(self._env, own) if own else shared
        self._brokers = [_Part(self._env, 1) for _ in range(fleet.brokers)] if own else [shared]
        self._counters = _Part(self._env, 1)
        self._planned_s = 0.0
        self._planned = simpy.Container(self._env)
        """Bundles that are planned and that nobody has taken."""
        pace = fleet.quota_per_minute / 60 * fleet.costs.quota_used
        seconds = self._size * BATCH / pace if pace else 0.0
        self._projects = [
            _Project(bundles // fleet.projects + (index < bundles % fleet.projects), seconds)
            for index in range(fleet.projects)
        ]

    def forecast(self) -> Forecast:
        fleet = self._fleet
        for index in range(fleet.machines * fleet.processes):
            self._env.process(self._sender(index))
        self._env.run()  # until all that is left waits for more
        elapsed = self._env.now
        busy = {
            "workers": sum(one.share(elapsed) for one in self._machines) / fleet.machines,
            "plan": self._planned_s / elapsed,
            "counters": self._counters.share(elapsed),
        }
        if fleet.database_cores:
            busy["PostgreSQL"] = self._database.share(elapsed)
            busy["broker"] = sum(one.share(elapsed) for one in self._brokers) / fleet.brokers
        rate = fleet.devices / elapsed
        if fleet.quota_per_minute:
            allowed = fleet.quota_per_minute / 60 * fleet.costs.quota_used * fleet.projects
            busy["quota"] = rate / allowed
        return Forecast(seconds=elapsed, messages_per_s=rate, busy=busy)

    def _sender(self, index: int) -> Steps:
        """Do what a sending process does, as long as there is something; the first plans before."""
        if index == 0:
            yield from self._plan()
        while True:
            yield self._planned.get(1)
            waiting = (project for project in self._projects if project.waiting)
            yield from self._send(min(waiting, key=lambda one: one.free_at), index)

    def _plan(self) -> Steps:
        """Plan the projects in turns, so that each has something to send at once."""
        while unplanned := [project for project in self._projects if project.unplanned]:
            for project in unplanned:
                bundles = project.plan(self._size)
                yield from self._plan_some(bundles)
                project.waiting += bundles
                yield self._planned.put(bundles)

    def _plan_some(self, bundles: int) -> Steps:
        began_at, costs, batches = self._env.now, self._fleet.costs, self._size * bundles
        yield from self._database.work(costs.plan_cpu * batches)
        yield from self._machines[0].work(costs.publish_cpu * batches)
        self._planned_s += self._env.now - began_at

    def _send(self, project: _Project, index: int) -> Steps:
        costs, env, size = self._fleet.costs, self._env, self._size
        machine = self._machines[index % len(self._machines)]
        broker = self._brokers[index % len(self._brokers)]
        statements = max(0.0, costs.database_cpu - costs.plan_cpu) / 2 * size
        wait_s = project.take(env.now)
        yield from broker.work(costs.broker_cpu * size)
        yield from machine.work(costs.message_cpu * size)
        yield from self._database.work(statements)
        yield env.timeout(max(costs.flush_s * size, wait_s))
        yield from machine.work(self._sending_cpu() * size)
        yield env.timeout(costs.latency_s * size)
        yield from self._database.work(statements)
        yield from self._counters.work(costs.flush_s * size)

    def _sending_cpu(self) -> float:
        costs = self._fleet.costs
        sending = max(0.0, costs.send_cpu - costs.publish_cpu)
        if self._fleet.database_cores:
            return sending
        # Everything shares one machine: the emulator and who watches, too.
        return sending + costs.emulator_cpu + costs.aside_cpu
