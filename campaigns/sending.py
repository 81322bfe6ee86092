"""One batch from claim to settlement, in a worker's process.

Nothing that happens to a batch fails its task: trouble is written into the ledger, as an outcome
or as something to be tried again.
"""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from operator import attrgetter

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from campaigns import engine, shutdown, transitions
from campaigns.claiming import claim_for_message, in_hand
from campaigns.entry import Entry, Waiting
from campaigns.ledger import extend_held_lease, settle_held_batch
from campaigns.models import DeliveryBatch, PushCampaign
from campaigns.rescue import MAX_CRASHES, close_stopped_campaign
from campaigns.states import CampaignStatus
from devices.models import FcmProject
from pushcore.credentials import CredentialsError
from pushcore.gate import Live
from pushcore.messages import AddressKind, Platform, Priority, Template
from pushcore.order import Addressed, Order
from pushcore.outcomes import Outcome, Trouble
from pushcore.report import Report
from pushcore.retry import Guarantee

logger = logging.getLogger(__name__)

_PLATFORMS = {platform.value: platform for platform in Platform}
_platform_of = attrgetter("platform")
_KINDS = {kind.value: kind for kind in AddressKind}
_AWAY = (OperationalError, InterfaceError)
"""The database is away, or this connection to it is."""
_EXTEND_EVERY = timedelta(seconds=settings.LEASE_S / 3)
_SETTLE_WITHIN = timedelta(seconds=120)
"""Together with the sending deadline below the task's soft time limit."""
_RETRY_GRID_S = 5
"""Retries of a batch fall due together, on the rescue's own beat, not one by one."""
_HALTING = (Trouble.PROJECT, Trouble.ACCESS_TOKEN, Trouble.MISMATCH)


def send_batch(*, batch_id: int, clock: Callable[[], datetime]) -> None:
    """Claim the batch or one in its place, send what is due, settle what became of it.

    Never raises.
    """
    try:
        entry = _claim(batch_id, clock=clock)
        if entry is not None:
            _send_and_settle(entry, clock=clock)
    except _AWAY:
        # A claimed batch is taken over when its lease has run out, another stays pending.
        connection.close()
        logger.warning("The database is away: batch %s is left to the rescue.", batch_id)
    except Exception:
        logger.exception("Batch %s is left to the rescue.", batch_id)


def _claim(batch_id: int, *, clock: Callable[[], datetime]) -> Entry | None:
    """Claim it or another; once more where the connection was lost while nobody used it.

    That is found out by using it: to ask before every batch whether it is alive costs more. Where
    the first claim was written and only its answer is lost, the second one finds nothing, and the
    lease brings the batch back.
    """
    try:
        return claim_for_message(batch_id=batch_id, now=clock(), lease_s=settings.LEASE_S)
    except _AWAY:
        connection.close()
        return claim_for_message(batch_id=batch_id, now=clock(), lease_s=settings.LEASE_S)


def _send_and_settle(entry: Entry, *, clock: Callable[[], datetime]) -> None:
    try:
        _remember(entry.batch)
        with in_hand(entry, lease_s=settings.LEASE_S):
            report = _send(entry, clock=clock)
    except CredentialsError as refusal:
        _settle_patiently(entry, clock=clock)
        _halt(entry, str(refusal))
    except Exception as failure:
        logger.exception("Batch %s failed in our own hands.", entry.batch.pk)
        _give_back_after_failure(entry, failure, clock=clock)
    else:
        _settle_patiently(entry, clock=clock, blocked_s=report.blocked_s)
        _follow(entry, report, clock=clock)


def _send(entry: Entry, *, clock: Callable[[], datetime]) -> Report:
    campaign = entry.campaign
    line = engine.line_of(entry.project)
    now = clock()
    places, devices = _addressed(entry, now=now)
    order = Order(
        template=Template(campaign.content(), now=now),
        priority=Priority(campaign.priority),
        guarantee=Guarantee(campaign.guarantee),
        campaign_key=str(campaign.pk),
        deadline=time.monotonic() + settings.SEND_DEADLINE_S,
        poll=_Watch(entry, clock=clock),
    )
    entry.started = True
    report = line.sender.send(devices, order)
    _record(
        entry, places, devices, report, answered_at=clock().timestamp(), started_at=now.timestamp()
    )
    return report


@lru_cache(maxsize=64)
def _campaign_and_project(
    campaign_id: int, project_id: int, _second: int
) -> tuple[PushCampaign, FcmProject]:
    """Read both, once in each second of the monotonic clock: they serve many batches."""
    # Whom it is for may be a list of any length; the plan has read it.
    campaign = PushCampaign.objects.defer("target_user_ids").get(pk=campaign_id)
    return campaign, FcmProject.objects.get(pk=project_id)


def _remember(batch: DeliveryBatch) -> None:
    second = int(time.monotonic())
    batch.campaign, batch.project = _campaign_and_project(
        batch.campaign_id, batch.project_id, second
    )


# By hand, as the ORM would spell out five hundred ids one by one.
_ADDRESSES = """
SELECT id, address, address_kind, platform FROM devices_devicetoken
 WHERE id = ANY(%s::bigint[]) AND is_active
"""


def _addressed(entry: Entry, *, now: datetime) -> tuple[list[int], list[Addressed]]:
    """Return the places and addresses of what is due; skip who is inactive or gone by now."""
    due = entry.due(now)
    with connection.cursor() as cursor:
        # As one literal: psycopg2 would write each id as an expression of its own.
        wanted = ",".join([str(entry.device_ids[place]) for place in due])
        cursor.execute(_ADDRESSES, ["{" + wanted + "}"])
        rows = {row[0]: row for row in cursor.fetchall()}
    places, devices = [], []
    for place in due:
        row = rows.get(entry.device_ids[place])
        if row is None:
            entry.settle_device(place, Outcome.SKIPPED, code="INACTIVE")
            continue
        waiting = entry.retries.get(place)
        places.append(place)
        devices.append(
            Addressed(
                row[0],
                row[1],
                _KINDS[row[2]],
                _PLATFORMS[row[3]],
                waiting.attempts if waiting else 0,
                entry.maybe_sent or (waiting is not None and waiting.ambiguous),
                waiting.since if waiting else None,
            )
        )
    return places, devices


def _record(
    entry: Entry,
    places: Sequence[int],
    devices: Sequence[Addressed],
    report: Report,
    *,
    started_at: float,
    answered_at: float,
) -> None:
    """Write the report into the account; the times are in seconds since the epoch."""
    entry.sent = Counter(zip(map(_platform_of, devices), report.outcomes, strict=True))
    for index, place in enumerate(places):
        outcome = report.outcomes[index]
        if outcome == Outcome.SUCCESS:
            entry.outcomes[place] = outcome
            entry.message_ids[place] = report.message_ids[index]
            entry.retries.pop(place, None)
        elif outcome != Outcome.PENDING:
            entry.settle_device(
                place, Outcome(outcome), code=report.codes[index], detail=report.details[index]
            )
            if outcome == Outcome.INVALID_TOKEN:
                entry.dead.append((devices[index].device_id, devices[index].address))
        elif (retry_in_s := report.retry_in_s[index]) is not None:
            since = devices[index].since
            entry.retries[place] = Waiting(
                attempts=report.attempts[index],
                ambiguous=report.ambiguous[index],
                since=started_at if since is None else since,
                due=math.ceil((answered_at + retry_in_s) / _RETRY_GRID_S) * _RETRY_GRID_S,
                code=report.codes[index],
            )


class _Watch:
    """Tells the sending loop, twice a second, whether to go on; keeps the batch's lease alive."""

    def __init__(self, entry: Entry, *, clock: Callable[[], datetime]) -> None:
        rate = entry.campaign.rate_limit_per_second
        self._first: Live | None = Live(rate_limit_per_second=rate)
        self._entry = entry
        self._clock = clock
        self._extend_at = clock() + _EXTEND_EVERY

    def __call__(self) -> Live:
        if shutdown.has_begun():
            return Live(stop=True)
        live, self._first = self._first, None
        if live is not None and self._clock() < self._extend_at:
            return live  # read a moment ago, with the campaign
        try:
            row = self._running() if self._still_held() else None
        except _AWAY:
            # Nobody could settle what would be sent on.
            connection.close()
            return Live(stop=True)
        return Live(stop=True) if row is None else Live(rate_limit_per_second=row[0])

    def _running(self) -> tuple[int | None] | None:
        """Return the pace of the campaign, if it is being sent and its lane is not halted."""
        batch = self._entry.batch
        return (
            PushCampaign.objects.filter(
                pk=batch.campaign_id,
                status=CampaignStatus.PROCESSING,
                lanes__project=batch.project_id,
                lanes__halt_reason="",
            )
            .values_list("rate_limit_per_second")
            .first()
        )

    def _still_held(self) -> bool:
        now = self._clock()
        if now < self._extend_at:
            return True
        self._extend_at = now + _EXTEND_EVERY
        return extend_held_lease(
            batch_id=self._entry.batch.pk,
            attempt=self._entry.attempt,
            now=now,
            lease_s=settings.LEASE_S,
        )


def _settle_patiently(
    entry: Entry, *, clock: Callable[[], datetime], blocked_s: float = 0.0, crashed: bool = False
) -> None:
    """Settle, waiting for a database that is away.

    What the provider said is known only here: given up, it would have to be asked for again. That
    the lease runs out meanwhile does no harm: who would take the batch over needs the database
    too, and lets the holders settle first when it is back (`rescue`).
    """
    delay_s = 0.2
    give_up_at = clock() + _SETTLE_WITHIN
    while True:
        now = clock()
        not_before = now + timedelta(seconds=blocked_s) if blocked_s else None
        try:
            if not settle_held_batch(entry, now=now, crashed=crashed, not_before=not_before):
                logger.warning("Batch %s was taken over: its result is dropped.", entry.batch.pk)
            return
        except _AWAY:
            connection.close()
            if now >= give_up_at:
                logger.exception("Batch %s: the database stayed away.", entry.batch.pk)
                return
            time.sleep(delay_s)
            delay_s = min(delay_s * 2, 2.0)


def _give_back_after_failure(
    entry: Entry, failure: Exception, *, clock: Callable[[], datetime]
) -> None:
    """Give a batch back that failed in our own hands, or set it aside if it keeps failing."""
    words = {"code": "ENGINE_ERROR", "detail": type(failure).__name__}
    if entry.started and entry.campaign.guarantee == Guarantee.AT_MOST_ONCE:
        entry.lose_in_flight(**words)
    elif entry.started:
        entry.maybe_sent = True
    if entry.crashes + 1 >= MAX_CRASHES:
        entry.settle_pending(Outcome.UNKNOWN if entry.maybe_sent else Outcome.FAILED, **words)
    crashed = not isinstance(failure, _AWAY)
    _settle_patiently(entry, clock=clock, blocked_s=2.0 ** (entry.crashes + 1), crashed=crashed)


def _follow(entry: Entry, report: Report, *, clock: Callable[[], datetime]) -> None:
    """Draw the consequences beyond the batch: stop what others would run into too."""
    if (words := report.troubles.get(Trouble.PAYLOAD)) is not None:
        now = clock()
        if transitions.fail_if_running(campaign_id=entry.batch.campaign_id, reason=words, now=now):
            close_stopped_campaign(campaign_id=entry.batch.campaign_id, now=now)
    for trouble in _HALTING:
        if (words := report.troubles.get(trouble)) is not None:
            _halt(entry, words)
    if entry.attempt > 1:
        # Sent outside of a wave, so no callback will look whether this was the last.
        transitions.complete_if_settled(campaign_id=entry.batch.campaign_id, now=clock())


def _halt(entry: Entry, words: str) -> None:
    """Halt every running campaign's lane over this project: all of them would be refused."""
    name = entry.project.project_id
    halted = transitions.halt_project(project_id=entry.batch.project_id, reason=f"{name}: {words}")
    if halted:
        logger.warning("Project %s refuses us: %s lanes are halted.", name, halted)
