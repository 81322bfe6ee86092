"""What is answered to a request: everything the emulator decides, apart from any server.

The checks come in FCM's order: access token, JSON and schema, exactly one target, rules, quota,
and then what the configuration has in store for the target.
"""

from __future__ import annotations

import math
import random
import time
import zlib
from bisect import bisect_right
from collections.abc import Callable, Collection
from email.utils import formatdate
from typing import NamedTuple

from loadtests.fcm_emulator import answers
from loadtests.fcm_emulator.access import Access, TokenAnswer
from loadtests.fcm_emulator.behaviours import (
    EFFECTS,
    EXPLICIT_PREFIX,
    OK_PLAN,
    Behaviour,
    Effect,
    Plan,
    WireFault,
    explicit_plan,
)
from loadtests.fcm_emulator.config import Config, ConfigError, ProjectFault, RetryAfterForm
from loadtests.fcm_emulator.ledger import EARLIEST_RETRY_S, Ledger, ProjectLedger, key_of
from loadtests.fcm_emulator.quota import WINDOW_S, Quota
from loadtests.fcm_emulator.reading import Reader, Target

_LATENCIES = 16_384
_Z99 = 2.3263478740408408
_SCALE = 1 << 32


class Ruling(NamedTuple):
    """The answer to one request, and when it is given."""

    status: int
    """0: none, `fault` says what happens instead."""
    body: bytes
    delay_ms: float
    retry_after: str | None = None
    fault: WireFault | None = None
    books: ProjectLedger | None = None
    """Where it is to be noted if nobody heard the answer; None if that changes nothing."""
    key: int = 0
    """The target's, in `books`."""


class Judge:
    """Decides about requests and keeps the ledger; not thread-safe: one event loop asks it.

    `wire_faults` are those that the wire in front of it can bring about. `clock` gives UNIX time.
    Raises ConfigError for a configuration that asks for other faults.
    """

    def __init__(
        self,
        config: Config,
        *,
        wire_faults: Collection[WireFault] = frozenset(WireFault),
        keep_tokens: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.access = Access()
        self._wire_faults = wire_faults
        self._clock = clock
        self._keep_tokens = keep_tokens
        self._reader = Reader()
        self.reset()
        self.configure(config)

    def reset(self) -> None:
        """Forget receipts, counters, windows of quota and what targets have met; keep the rest."""
        self.ledger = Ledger(keep_tokens=self._keep_tokens)
        self._quotas: dict[str, Quota] = {}
        self._serial = 0

    def configure(self, config: Config) -> None:
        """Let another configuration hold from now on; windows of quota start anew.

        Raises ConfigError, and changes nothing, where the wire cannot do what is asked for.
        """
        plans = config.plans()
        for _, plan in plans:
            self._check_wire(plan)
        if config.reset_unread and WireFault.RESET not in self._wire_faults:
            raise ConfigError("this wire cannot reset streams: start with --wire h2")
        self.config = config
        self._quotas = {}
        self._oauth_failures_left = config.oauth_fail_next
        self._plans = [plan for _, plan in plans]
        total, self._bounds = 0.0, []
        for share, _ in plans:
            total += share
            self._bounds.append(round(total * _SCALE))
        self._salt = random.Random(config.seed).getrandbits(32)
        self._dice = random.Random(config.seed)
        self._latencies = _latencies(config)

    def resets_unread(self) -> bool:
        """Whether the next request to send is reset before it is read; counts it if so."""
        share = self.config.reset_unread
        if not share or self._dice.random() >= share:
            return False
        self.ledger.by_status["reset_unread"] += 1
        return True

    def undelivered(self, ruling: Ruling) -> None:
        """Note that an answer reached nobody: for its sender, nothing is settled."""
        if ruling.books is not None:
            ruling.books.refused.discard(ruling.key)
            if ruling.key in ruling.books.accepted:
                ruling.books.unanswered.add(ruling.key)

    def token(self, form: bytes, *, audience: str) -> Ruling:
        """Answer a request to the token endpoint."""
        self.ledger.oauth_calls += 1
        if self._oauth_failures_left:
            self._oauth_failures_left -= 1
            answer = TokenAnswer(503, b'{"error": "internal_failure"}')
        else:
            answer = self.access.exchange(
                form, audience=audience, config=self.config, now=self._clock()
            )
        return Ruling(answer.status, answer.body, self.config.oauth_latency_ms)

    def send(self, project: str, authorization: str | None, body: bytes) -> Ruling:
        """Answer a request to `projects/{project}/messages:send`."""
        now = self._clock()
        ledger = self.ledger
        ledger.receive(now)
        refusal = self._refusal(authorization, project, now)
        if refusal is not None:
            return self._refuse(*refusal, "access")
        target = self._reader.read(body)
        if not isinstance(target, Target):
            self._quota(project).spend_anyway(now)
            return self._refuse(400, target.body, f"invalid:{target.problem}")
        if not self._quota(project).spend(now):
            return self._refuse_for_quota(project, target, now)
        if target.validate_only:
            ledger.validated_only += 1
            return self._ok(project, None, 0)
        return self._deliver(project, target, body, now)

    def _deliver(self, project: str, target: Target, body: bytes, now: float) -> Ruling:
        """Do with a sound message what its target has in store for it."""
        ledger = self.ledger
        books = ledger.projects[project]
        key = key_of(target.address)
        ledger.notice_manners(books, key, now)
        try:
            plan = self._plan(target.address)
        except ValueError as exc:
            # A typo in a test's token is to be seen at once, not to pass for a device.
            problem = answers.invalid_json(f"emulator: {exc}", "message.token")
            return self._refuse(400, problem, "explicit_target")
        if plan is not OK_PLAN and self._meets(books, key, plan):
            return self._trouble(project, target, body, plan, now)
        ledger.accept(books, key, now)
        self._keep(project, target.address, body)
        books.unanswered.discard(key)
        return self._ok(project, books, key)

    def _refusal(
        self, authorization: str | None, project: str, now: float
    ) -> tuple[int, bytes] | None:
        config = self.config
        if config.reject_access_tokens:
            return 401, answers.bad_credentials()
        status, body = self.access.refusal(authorization, project, now)
        if status:
            return status, body
        if not config.project_faults:
            return None
        fault = config.project_faults.get(project, config.project_faults.get("*"))
        if fault is ProjectFault.UNAUTHENTICATED:
            return 401, answers.bad_credentials()
        if fault is ProjectFault.PERMISSION_DENIED:
            return 403, answers.permission_denied(project)
        return (404, answers.project_not_found()) if fault else None

    def _plan(self, address: str) -> Plan:
        """Return what is in store for a target: its own words, else its place in the shares."""
        if address.startswith(EXPLICIT_PREFIX):
            plan = explicit_plan(address)
            self._check_wire(plan)
            return plan
        if not self._bounds:
            return OK_PLAN
        place = zlib.crc32(address.encode(), self._salt)
        # CRC-32 is linear: a salt alone would only shift everybody alike. So multiply.
        place = ((place ^ self._salt) * 0x9E3779B97F4A7C15 >> 29) & 0xFFFFFFFF
        index = bisect_right(self._bounds, place)
        return self._plans[index] if index < len(self._plans) else OK_PLAN

    def _check_wire(self, plan: Plan) -> None:
        fault = EFFECTS[plan.behaviour].fault
        if fault is not None and fault not in self._wire_faults:
            raise ConfigError(f"this wire cannot do {plan.behaviour}: start with --wire h2")

    def _meets(self, books: ProjectLedger, key: int, plan: Plan) -> bool:
        """Whether this message meets the plan's trouble; counts it for the passing ones."""
        if plan.behaviour is Behaviour.OK:
            return False
        if not EFFECTS[plan.behaviour].passing:
            return True
        met = books.meetings.get(key, 0)
        if met >= plan.times:
            return False
        books.meetings[key] = met + 1
        return True

    def _keep(self, project: str, address: str, body: bytes) -> None:
        """Keep what is asked for of an accepted message, beyond its receipt."""
        if address.startswith(EXPLICIT_PREFIX):
            self.ledger.keep_message(address, body)
        if self._keep_tokens:
            self.ledger.tokens[project].add(address)

    def _trouble(self, project: str, target: Target, body: bytes, plan: Plan, now: float) -> Ruling:
        """Answer (or not) as the plan has it, and remember it for the target's next message."""
        behaviour = plan.behaviour
        effect = EFFECTS[behaviour]
        books, key = self.ledger.projects[project], key_of(target.address)
        if effect.accepts:
            self.ledger.accept(books, key, now)
            self._keep(project, target.address, body)
        if behaviour is Behaviour.SLOW:
            ruling = self._ok(project, books, key)
            return ruling._replace(delay_ms=ruling.delay_ms + plan.slow_ms)
        wait_s = plan.retry_after_s or self.config.retry_after_s
        self._remember(books, key, effect, wait_s, now)
        self.ledger.by_error[behaviour.value] += 1
        if effect.fault is not None:
            self.ledger.by_status[effect.fault.value] += 1
            return Ruling(0, b"", self._delay_ms(), fault=effect.fault)
        self.ledger.by_status[str(effect.status)] += 1
        retry_after = self._retry_after(wait_s, now) if effect.passing else None
        answer = self._body(project, target, behaviour)
        return Ruling(effect.status, answer, self._delay_ms(), retry_after, None, books, key)

    @staticmethod
    def _remember(books: ProjectLedger, key: int, effect: Effect, wait_s: int, now: float) -> None:
        if not effect.passing:
            books.refused.add(key)
            return
        if effect.accepts:
            books.unanswered.add(key)
        if effect.reaches:
            books.not_before[key] = now + (wait_s or EARLIEST_RETRY_S)

    def _body(self, project: str, target: Target, behaviour: Behaviour) -> bytes:
        if behaviour is Behaviour.QUOTA_PROJECT:
            return answers.project_quota(project, self.config.quota_per_minute)
        return answers.of_behaviour(behaviour, target.kind)

    def _ok(self, project: str, books: ProjectLedger | None, key: int) -> Ruling:
        self._serial += 1
        self.ledger.by_status["200"] += 1
        name = f"projects/{project}/messages/0:{self._serial:016d}%{self._salt:08x}"
        body = b'{\n  "name": "%b"\n}\n' % name.encode()
        return Ruling(200, body, self._delay_ms(), None, None, books, key)

    def _refuse(self, status: int, body: bytes, reason: str) -> Ruling:
        self.ledger.by_status[str(status)] += 1
        self.ledger.by_error[reason] += 1
        return Ruling(status, body, self._delay_ms())

    def _refuse_for_quota(self, project: str, target: Target, now: float) -> Ruling:
        wait_s = math.ceil(self._quota(project).refilled_in(now))
        books = self.ledger.projects[project]
        key = key_of(target.address)
        self.ledger.notice_manners(books, key, now)
        sent = self._retry_after(wait_s, now)
        books.not_before[key] = now + (wait_s if sent else EARLIEST_RETRY_S)
        body = answers.project_quota(project, self.config.quota_per_minute)
        return self._refuse(429, body, "project_quota")._replace(retry_after=sent)

    def _retry_after(self, wait_s: int, now: float) -> str | None:
        form = self.config.retry_after
        if not wait_s or form is RetryAfterForm.ABSENT:
            return None
        return formatdate(now + wait_s, usegmt=True) if form is RetryAfterForm.DATE else str(wait_s)

    def _quota(self, project: str) -> Quota:
        quota = self._quotas.get(project)
        if quota is None:
            phase = random.Random(f"{self.config.seed}/{project}").uniform(0, WINDOW_S)
            quota = Quota(per_minute=self.config.quota_per_minute, phase_s=phase)
            self._quotas[project] = quota
        return quota

    def _delay_ms(self) -> float:
        latencies = self._latencies
        return latencies[self._serial % len(latencies)]


def _latencies(config: Config) -> list[float]:
    """Return the delays (ms) that are dealt out in turn: log-normal if a p99 is set."""
    if config.latency_p99_ms is None or not config.latency_ms:
        return [config.latency_ms]
    dice = random.Random(config.seed)
    mu = math.log(config.latency_ms)
    sigma = (math.log(config.latency_p99_ms) - mu) / _Z99
    return [dice.lognormvariate(mu, sigma) for _ in range(_LATENCIES)]
