"""Sends the devices of a batch at the project's pace, and says what became of each.

::

    sender = Sender(transport=transport, tokens=tokens, pacer=pacer)  # one per process and project
    report = sender.send(devices, order)                              # never raises for a device
    report.outcomes[i], report.message_ids[i], report.codes[i], ...   # of devices[i]
    report.troubles                                                   # what concerns the others too

What becomes of a device is decided by `pushcore.settlement`; here is only what needs the whole
batch. A message that surely never left is sent again at once, a few times. When
our access token is refused it is refreshed once and what was refused is sent again; refused a
second time, the project is in trouble. What cannot be settled comes back PENDING with the time to
wait; what the gate never let start comes back PENDING as if nothing had happened.
"""

from __future__ import annotations

import random as random_module
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from pushcore.breakers import BatchBreaker, ShareBreaker
from pushcore.credentials import CredentialsError, TokenUnavailableError
from pushcore.gate import Clocks, PacedGate, Pacing
from pushcore.order import Addressed, Order
from pushcore.outcomes import Outcome, Trouble, judge
from pushcore.pacing import Pacer
from pushcore.platform_holds import PlatformHolds
from pushcore.report import Report
from pushcore.retry import RetryPolicy
from pushcore.settlement import Settlement
from pushcore.transports.base import Answer, Fault, Transport

RESENDS: Final = 2
"""How often what never left is sent again within one call, before it has to wait."""
TOKEN_WAIT_S: Final = 30.0
"""When to try again where no access token could be fetched for now."""
_THIRD_PARTY: Final = "THIRD_PARTY_AUTH_ERROR"


class Tokens(Protocol):
    """Our access tokens for the project (`pushcore.credentials.AccessTokens`)."""

    def current(self) -> str:
        """Return a valid token; raises CredentialsError."""
        ...

    def rejected(self, token: str) -> None:
        """Hear that the provider refused it, and refresh it once; raises CredentialsError."""
        ...


class Sender:
    """Sends for one FCM project in one process.

    A share of `mismatch_share` of at least `mismatch_minimum` answers being SENDER_ID_MISMATCH is
    a trouble of the whole project. `random` gives numbers of [0, 1).
    """

    def __init__(
        self,
        *,
        transport: Transport,
        tokens: Tokens,
        pacer: Pacer,
        policy: RetryPolicy | None = None,
        mismatch_share: float = 0.5,
        mismatch_minimum: int = 50,
        random: Callable[[], float] = random_module.random,
        clocks: Clocks | None = None,
    ) -> None:
        self._transport = transport
        self._tokens = tokens
        self._pacer = pacer
        self._policy = policy or RetryPolicy()
        self._mismatch_share = mismatch_share
        self._mismatch_minimum = mismatch_minimum
        self._random = random
        self._clocks = clocks or Clocks(time.monotonic, time.time)
        self._holds = PlatformHolds()

    def send(self, devices: Sequence[Addressed], order: Order) -> Report:
        """Send to each device once, as far as gate and breakers allow.

        Returns when all that was started has been answered. Raises only what interrupts the
        process (a soft time limit): what was in flight then is unknown, and is not sent later.
        """
        began = self._clocks.monotonic()
        report = Report.pending(
            attempts=[device.attempts for device in devices],
            ambiguous=[device.ambiguous for device in devices],
        )
        places = self._places_to_try(devices, report)
        variant_for = order.template.variant_for
        bodies = [
            variant_for(device.platform, device.kind).render(device.address, device.device_id)
            for device in map(devices.__getitem__, places)
        ]
        answers = self._exchange(bodies, order, report)
        settlement = Settlement(
            devices,
            report,
            policy=self._policy,
            guarantee=order.guarantee,
            now=self._clocks.wall(),
            random=self._random,
        )
        settlement.settle(places, answers)
        self._hold_broken_platforms(devices, report)
        report.count(
            project=self._pacer.project_key,
            priority=order.priority,
            seconds=self._clocks.monotonic() - began,
        )
        return report

    def _exchange(
        self, bodies: Sequence[bytes], order: Order, report: Report
    ) -> list[Answer | None]:
        """Send requests, again what never left or was refused for our token; return the answers.

        None stands for what was not started. Notes in `report` what kept it from starting.
        """
        answers: list[Answer | None] = [None] * len(bodies)
        todo = list(range(len(bodies)))
        may_refresh = True
        for _ in range(1 + RESENDS):
            if not todo:
                break
            breaker = BatchBreaker(
                mismatches=ShareBreaker(
                    threshold=self._mismatch_share, minimum=self._mismatch_minimum
                )
            )
            try:
                token = self._tokens.current()
                got = self._send_paced([bodies[place] for place in todo], order, breaker, report)
                report.time(got)
                for place, answer in zip(todo, got, strict=True):
                    answers[place] = answer
                is_refused = breaker.trouble is Trouble.ACCESS_TOKEN
                if is_refused and may_refresh:
                    self._tokens.rejected(token)
            except TokenUnavailableError:
                # Nobody's fault that lasts: the batch comes back for another try.
                report.blocked_s = max(report.blocked_s, TOKEN_WAIT_S)
                break
            except CredentialsError as exc:
                report.note(Trouble.ACCESS_TOKEN, str(exc))
                break
            if breaker.trouble is not Trouble.NONE and not (is_refused and may_refresh):
                report.note(breaker.trouble, breaker.words)
                break
            todo = _to_send_again(todo, answers, is_refused=is_refused)
            may_refresh = may_refresh and not is_refused
        return answers

    def _send_paced(
        self, bodies: Sequence[bytes], order: Order, breaker: BatchBreaker, report: Report
    ) -> list[Answer | None]:
        gate = PacedGate(
            Pacing(self._pacer, order.priority, order.campaign_key),
            breaker=breaker,
            poll=order.poll,
            messages=len(bodies),
            deadline=order.deadline,
            clocks=self._clocks,
        )
        try:
            return self._transport.send(bodies, gate=gate)
        finally:
            gate.close()
            report.blocked_s = max(report.blocked_s, gate.blocked_s)
            report.add_waits(gate.waited_s)

    def _places_to_try(self, devices: Sequence[Addressed], report: Report) -> list[int]:
        """Return the devices' places but those of a platform known to be broken, which fail."""
        held = self._holds.held(self._clocks.monotonic())
        if not held:
            return list(range(len(devices)))
        places = []
        for place, device in enumerate(devices):
            if device.platform in held:
                report.outcomes[place] = int(Outcome.FAILED)
                report.codes[place] = _THIRD_PARTY
                report.broken_platforms.add(device.platform)
            else:
                places.append(place)
        return places

    def _hold_broken_platforms(self, devices: Sequence[Addressed], report: Report) -> None:
        if Trouble.PLATFORM in report.troubles:
            settled = zip(devices, report.codes, report.outcomes, strict=True)
            self._holds.hear(
                (
                    (device.platform, code == _THIRD_PARTY)
                    for device, code, outcome in settled
                    if outcome != Outcome.PENDING
                ),
                now=self._clocks.monotonic(),
            )


def _to_send_again(
    todo: Sequence[int], answers: Sequence[Answer | None], *, is_refused: bool
) -> list[int]:
    """Return what may be sent again at once: it cannot have been accepted.

    Where our token was refused that is also what was refused for it, and what was held back then.
    """
    again = []
    for place in todo:
        answer = answers[place]
        if answer is None:
            wanted = is_refused
        else:
            wanted = answer.fault is Fault.NEVER_SENT or (is_refused and _is_for_token(answer))
        if wanted:
            again.append(place)
    return again


def _is_for_token(answer: Answer) -> bool:
    # A 401 may as well be about a key that Google holds for Apple's or the browser's servers.
    return answer.status == 401 and judge(answer, now=0.0).trouble is Trouble.ACCESS_TOKEN
