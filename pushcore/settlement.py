"""The answers to one batch, written down in its report: what is settled, and what waits how long.

What an answer means is said by `pushcore.outcomes`, what follows from it by `pushcore.retry`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pushcore.order import Addressed
from pushcore.outcomes import Outcome, judge, message_id_of
from pushcore.report import Report
from pushcore.retry import Final, Guarantee, RetryPolicy
from pushcore.transports.base import Answer


class Settlement:
    """Settles the devices of one batch, as far as their answers allow.

    `now` is in seconds since the epoch; `random` gives numbers of [0, 1).
    """

    def __init__(
        self,
        devices: Sequence[Addressed],
        report: Report,
        *,
        policy: RetryPolicy,
        guarantee: Guarantee,
        now: float,
        random: Callable[[], float],
    ) -> None:
        self._devices = devices
        self._report = report
        self._policy = policy
        self._guarantee = guarantee
        self._now = now
        self._random = random

    def settle(self, places: Sequence[int], answers: Sequence[Answer | None]) -> None:
        """Write down the answers to the devices in these places; None: it was never started."""
        success = int(Outcome.SUCCESS)
        report = self._report
        outcomes, message_ids, attempts = report.outcomes, report.message_ids, report.attempts
        for place, answer in zip(places, answers, strict=True):
            if answer is None:
                continue
            # The hot path: what is accepted needs neither a verdict nor a decision.
            message_id = message_id_of(answer.body) if answer.status == 200 else ""
            if message_id:
                outcomes[place] = success
                message_ids[place] = message_id
                attempts[place] += 1
            else:
                self._decide(place, answer)

    def _decide(self, place: int, answer: Answer) -> None:
        """Settle one device, or let it wait."""
        device, report = self._devices[place], self._report
        verdict = judge(answer, now=self._now)
        attempt = device.attempts + 1
        decision = self._policy.decide(
            verdict,
            attempt=attempt,
            age_s=0.0 if device.since is None else self._now - device.since,
            guarantee=self._guarantee,
            was_ambiguous=device.ambiguous,
            random=self._random,
        )
        detail = verdict.detail.replace(device.address, "[redacted]")
        report.hear(verdict, platform=device.platform, words=detail)
        report.codes[place] = verdict.code
        report.details[place] = detail
        report.ambiguous[place] = device.ambiguous or verdict.ambiguous
        if isinstance(decision, Final):
            report.outcomes[place] = int(decision.outcome)
            report.attempts[place] = attempt
        else:
            # Resending at once has been tried: now even what never left has to wait.
            wait_s = decision.delay_s or self._policy.backoff_s(1, random=self._random)
            report.retry_in_s[place] = wait_s
            report.attempts[place] = device.attempts + decision.counts
