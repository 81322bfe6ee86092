"""What is answered to a request: everything the emulator decides, apart from any server.

The checks come in FCM's order: access token, JSON and schema, exactly one target, rules, quota,
and then what the configuration has in store for the target.
"""

from __future__ import annotations

import math
import random
import time
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
)
from loadtests.fcm_emulator.config import Config, ProjectFault, RetryAfterForm
from loadtests.fcm_emulator.fates import Fates
from loadtests.fcm_emulator.ledger import EARLIEST_RETRY_S, Ledger, ProjectLedger, key_of
from loadtests.fcm_emulator.quota import WINDOW_S, Quota
from loadtests.fcm_emulator.reading import Reader, Target

_OK = b'{\n  "name": "projects/%b/messages/0:%016d%%%08x"\n}\n'


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


class _Case(NamedTuple):
    """A sound message that is being judged."""

    project: str
    books: ProjectLedger
    key: int
    target: Target
    body: bytes
    now: float


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
        self._fates = Fates(config, self._wire_faults)
        self.config = config
        self._quotas = {}
        self._oauth_failures_left = config.oauth_fail_next

    def resets_unread(self) -> bool:
        """Whether the next request to send is reset before it is read; counts it if so."""
        if not self.config.reset_unread or not self._fates.resets_unread():
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
        quota = self._quotas.get(project) or self._new_quota(project)
        target = self._reader.read(body)
        if not isinstance(target, Target):
            quota.spend_anyway(now)
            return self._refuse(400, target.body, f"invalid:{target.problem}")
        key = key_of(target.address)
        case = _Case(project, ledger.projects[project], key, target, body, now)
        if not quota.spend(now):
            return self._refuse_for_quota(case, quota)
        if target.validate_only:
            ledger.validated_only += 1
            return self._ok(project, None, 0)
        return self._deliver(case)

    def _deliver(self, case: _Case) -> Ruling:
        """Do with a sound message what its target has in store for it."""
        project, books, key, target, _, now = case
        self.ledger.notice_manners(books, key, now)
        try:
            plan = self._fates.plan_of(target.address)
        except ValueError as exc:
            # A typo in a test's token is to be seen at once, not to pass for a device.
            problem = answers.invalid_json(f"emulator: {exc}", "message.token")
            return self._refuse(400, problem, "explicit_target")
        if plan is not OK_PLAN and self._meets(books, key, plan):
            return self._trouble(case, plan)
        self._accept(case)
        if books.unanswered:
            books.unanswered.discard(key)
        return self._ok(project, books, key)

    def _refusal(
        self, authorization: str | None, project: str, now: float
    ) -> tuple[int, bytes] | None:
        config = self.config
        if config.reject_access_tokens:
            return 401, answers.bad_credentials()
        refusal = self.access.refusal(authorization, project, now)
        if refusal is not None or not config.project_faults:
            return refusal
        fault = config.project_faults.get(project, config.project_faults.get("*"))
        if fault is ProjectFault.UNAUTHENTICATED:
            return 401, answers.bad_credentials()
        if fault is ProjectFault.PERMISSION_DENIED:
            return 403, answers.permission_denied(project)
        return (404, answers.project_not_found()) if fault else None

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

    def _accept(self, case: _Case) -> None:
        """Write the receipt, and keep what else is asked for of an accepted message."""
        project, books, key, target, body, now = case
        self.ledger.accept(books, key, now)
        if target.address.startswith(EXPLICIT_PREFIX):
            self.ledger.keep_message(target.address, body)
        if self._keep_tokens:
            self.ledger.tokens[project].add(target.address)

    def _trouble(self, case: _Case, plan: Plan) -> Ruling:
        """Answer (or not) as the plan has it, and remember it for the target's next message."""
        behaviour = plan.behaviour
        effect = EFFECTS[behaviour]
        if effect.accepts:
            self._accept(case)
        if behaviour is Behaviour.SLOW:
            ruling = self._ok(case.project, case.books, case.key)
            return ruling._replace(delay_ms=ruling.delay_ms + plan.slow_ms)
        wait_s = plan.retry_after_s or self.config.retry_after_s
        self._remember(case, effect, wait_s)
        self.ledger.by_error[behaviour.value] += 1
        delay_ms = self._fates.next_delay_ms()
        if effect.fault is not None:
            self.ledger.by_status[effect.fault.value] += 1
            return Ruling(0, b"", delay_ms, fault=effect.fault)
        self.ledger.by_status[str(effect.status)] += 1
        retry_after = self._retry_after(wait_s, case.now) if effect.passing else None
        answer = self._body(case, behaviour)
        return Ruling(effect.status, answer, delay_ms, retry_after, None, case.books, case.key)

    @staticmethod
    def _remember(case: _Case, effect: Effect, wait_s: int) -> None:
        books, key = case.books, case.key
        if not effect.passing:
            books.refused.add(key)
            return
        if effect.accepts:
            books.unanswered.add(key)
        if effect.reaches:
            books.not_before[key] = case.now + (wait_s or EARLIEST_RETRY_S)

    def _body(self, case: _Case, behaviour: Behaviour) -> bytes:
        if behaviour is Behaviour.QUOTA_PROJECT:
            return answers.project_quota(case.project, self.config.quota_per_minute)
        return answers.of_behaviour(behaviour, case.target.kind)

    def _ok(self, project: str, books: ProjectLedger | None, key: int) -> Ruling:
        self._serial += 1
        self.ledger.ok += 1
        body = _OK % (project.encode(), self._serial, self._fates.salt)
        return Ruling(200, body, self._fates.next_delay_ms(), None, None, books, key)

    def _refuse(self, status: int, body: bytes, reason: str) -> Ruling:
        self.ledger.by_status[str(status)] += 1
        self.ledger.by_error[reason] += 1
        return Ruling(status, body, self._fates.next_delay_ms())

    def _refuse_for_quota(self, case: _Case, quota: Quota) -> Ruling:
        now = case.now
        wait_s = math.ceil(quota.refilled_in(now))
        self.ledger.notice_manners(case.books, case.key, now)
        sent = self._retry_after(wait_s, now)
        case.books.not_before[case.key] = now + (wait_s if sent else EARLIEST_RETRY_S)
        body = answers.project_quota(case.project, self.config.quota_per_minute)
        return self._refuse(429, body, "project_quota")._replace(retry_after=sent)

    def _retry_after(self, wait_s: int, now: float) -> str | None:
        form = self.config.retry_after
        if not wait_s or form is RetryAfterForm.ABSENT:
            return None
        return formatdate(now + wait_s, usegmt=True) if form is RetryAfterForm.DATE else str(wait_s)

    def _new_quota(self, project: str) -> Quota:
        phase = random.Random(f"{self.config.seed}/{project}").uniform(0, WINDOW_S)
        quota = Quota(per_minute=self.config.quota_per_minute, phase_s=phase)
        self._quotas[project] = quota
        return quota
