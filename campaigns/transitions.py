"""Every write of a campaign's status and of what holds a lane up.

The UPDATE names the statuses that it may come from; the count of rows says whether it won.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.expressions import Combinable

from campaigns.access.trail import record_update
from campaigns.entry import storable
from campaigns.errors import IllegalMove
from campaigns.models import DeliveryBatch, Lane, PushCampaign
from campaigns.notifications import outbox
from campaigns.notifications.models import Event
from campaigns.states import MOVES, STOPPED, BatchState, CampaignStatus, Move, moves_from

MAX_ENGINE_FAILURES = 5
"""A campaign that our own code fails over so often, in a row, is paused."""


def move_campaign(*, campaign_id: int, move: Move, **changes: Any) -> None:
    """Make the move, with further `changes` of fields, if the campaign's status allows it.

    Raises:
        IllegalMove: it does not, and nothing has changed.
        PushCampaign.DoesNotExist: there is no such campaign.
    """
    if not _try(campaign_id, move, **changes):
        status = PushCampaign.objects.values_list("status", flat=True).get(pk=campaign_id)
        raise IllegalMove(move=move, status=status, allowed=moves_from(status))


def _try(campaign_id: int, move: Move, *conditions: Combinable | Q, **changes: Any) -> bool:
    rows = _movable(campaign_id, move, *conditions)
    return _update_on_record(rows, status=MOVES[move][1], **changes)


def _movable(campaign_id: int, move: Move, *conditions: Combinable | Q) -> QuerySet[PushCampaign]:
    sources, _ = MOVES[move]
    return PushCampaign.objects.filter(*conditions, pk=campaign_id, status__in=sources)


def _update_on_record(rows: QuerySet[PushCampaign], **changes: Any) -> bool:
    """Update the campaign, if it is among the rows, with an entry in the audit trail.

    Returns whether it was.
    """
    with transaction.atomic(savepoint=False):  # nothing goes on from an error within
        locked = rows.select_for_update(no_key=True)
        before = locked.values("pk", "title", *changes).first()
        if before is None or rows.update(**changes) == 0:
            return False
        campaign = PushCampaign(pk=before["pk"], title=before["title"])
        record_update(campaign, before=before, after=changes)
    return True


_NEWS = {
    Move.COMPLETE: Event.COMPLETED,
    Move.FAIL: Event.FAILED,
    Move.PAUSE: Event.PAUSED,
    Move.CANCEL: Event.EXPIRED,
    Move.UNSCHEDULE: Event.MISSED,
}


def _try_and_tell(
    campaign_id: int, move: Move, *conditions: Combinable | Q, **changes: Any
) -> bool:
    """Make a move of the engine's own, of which people are told: both, or neither.

    Who merely asks, as the engine does again and again whether a campaign has ended, is answered by
    one query and without a lock.
    """
    if not _movable(campaign_id, move, *conditions).exists():
        return False
    with transaction.atomic():
        moved = _try(campaign_id, move, *conditions, **changes)
        if moved:
            outbox.record(campaign_id=campaign_id, event=_NEWS[move])
    return moved


def _unfinished_lanes() -> QuerySet[Lane]:
    """Return the lanes of an outer campaign that are not planned whole or not settled whole."""
    open_batches = DeliveryBatch.objects.filter(
        campaign=OuterRef("campaign"),
        project=OuterRef("project"),
        state__in=[BatchState.PENDING, BatchState.SENDING],
    )
    return Lane.objects.filter(Q(planned_at=None) | Exists(open_batches), campaign=OuterRef("pk"))


def start(*, campaign_id: int, task_id: UUID, now: datetime) -> None:
    """Move a draft or scheduled campaign to processing.

    Raises:
        IllegalMove: it was started, or ended, before.
    """
    move_campaign(
        campaign_id=campaign_id, move=Move.SEND, task_id=task_id, started_at=now, status_reason=""
    )


def change_rate(*, campaign_id: int, rate_limit_per_second: int | None) -> None:
    """Set the campaign's own pace, unless it has ended.

    Raises:
        IllegalMove: it has.
        PushCampaign.DoesNotExist: there is no such campaign.
    """
    ended = [*STOPPED, CampaignStatus.COMPLETED]
    rows = PushCampaign.objects.filter(pk=campaign_id).exclude(status__in=ended)
    if not _update_on_record(rows, rate_limit_per_second=rate_limit_per_second):
        status = PushCampaign.objects.values_list("status", flat=True).get(pk=campaign_id)
        raise IllegalMove(move="set the rate of", status=status, allowed=moves_from(status))


def complete_if_settled(*, campaign_id: int, now: datetime) -> bool:
    """Complete the campaign, if all of it is planned and every device has its final outcome.

    Returns whether this call completed it: of many that ask, exactly one gets True.
    """
    return _try_and_tell(
        campaign_id,
        Move.COMPLETE,
        ~Exists(_unfinished_lanes()),
        completed_at=now,
        status_reason="",
    )


def fail_if_running(*, campaign_id: int, reason: str, now: datetime) -> bool:
    """Fail the campaign for good: the provider refuses its message, whoever it is for."""
    return _try_and_tell(campaign_id, Move.FAIL, status_reason=storable(reason), completed_at=now)


def cancel_if_expired(*, campaign_id: int, now: datetime) -> bool:
    """Cancel the campaign, if `expires_at` has passed and somebody is still to be sent to."""
    return _try_and_tell(
        campaign_id,
        Move.CANCEL,
        Q(expires_at__lte=now) & ~Q(status=CampaignStatus.DRAFT),
        Q(Exists(_unfinished_lanes())) | Q(status=CampaignStatus.SCHEDULED),
        status_reason="expired before everybody was sent to",
        completed_at=now,
    )


def unschedule_if_overdue(*, campaign_id: int, since: datetime) -> bool:
    """Make a scheduled campaign whose moment came before `since` a draft again, and say why."""
    return _try_and_tell(
        campaign_id,
        Move.UNSCHEDULE,
        Q(scheduled_at__lt=since),
        scheduled_at=None,
        status_reason="missed: nobody could start it when it was scheduled",
    )


def unschedule_if_scheduled(*, campaign_id: int, reason: str) -> bool:
    """Make a scheduled campaign that can't be sent any more a draft again, with the reason."""
    return _try_and_tell(
        campaign_id,
        Move.UNSCHEDULE,
        scheduled_at=None,
        status_reason=storable(f"missed: it could not be sent when it was due: {reason}"),
    )


def halt_lane(*, campaign_id: int, project_id: int, reason: str) -> bool:
    """Hold the lane up, because the project refuses us; pause a campaign that is held up by it.

    Returns whether this call did it: the first of many workers that meet the same refusal.
    """
    halted = Lane.objects.filter(
        campaign_id=campaign_id, project_id=project_id, halt_reason=""
    ).update(halt_reason=storable(reason))
    if halted:
        pause_if_held_up(campaign_id=campaign_id)
    return halted == 1


def halt_project(*, project_id: int, reason: str) -> int:
    """Halt the lanes of all running campaigns over a project; return how many this call halted."""
    running = Lane.objects.filter(
        project_id=project_id, halt_reason="", campaign__status=CampaignStatus.PROCESSING
    )
    return sum(
        halt_lane(campaign_id=campaign_id, project_id=project_id, reason=reason)
        for campaign_id in running.values_list("campaign_id", flat=True)
    )


def pause_if_held_up(*, campaign_id: int) -> bool:
    """Pause the campaign, with the reasons, if all that is left of it is in halted lanes.

    Returns whether this call paused it. A campaign with nothing left is not held up: it completes.
    """
    halted = Lane.objects.filter(campaign_id=campaign_id).exclude(halt_reason="").order_by("pk")
    reasons = dict.fromkeys(halted.values_list("halt_reason", flat=True))
    if not reasons:
        return False
    return _try_and_tell(
        campaign_id,
        Move.PAUSE,
        Exists(_unfinished_lanes()),
        ~Exists(_unfinished_lanes().filter(halt_reason="")),
        status_reason="; ".join(reasons),
    )


def pause_if_stuck(*, campaign_id: int, failure: str) -> bool:
    """Count a failure of our own code; pause the campaign, with its words, when there are too many.

    It would fail in the same way for ever. Paused, it can be resumed once that is mended, and
    nobody is skipped. Returns whether this call paused it.
    """
    PushCampaign.objects.filter(pk=campaign_id, status=CampaignStatus.PROCESSING).update(
        engine_failures=F("engine_failures") + 1
    )
    return _try_and_tell(
        campaign_id,
        Move.PAUSE,
        Q(engine_failures__gte=MAX_ENGINE_FAILURES),
        status_reason=storable(f"our own code failed {MAX_ENGINE_FAILURES} times: {failure}"),
        engine_failures=0,
    )


def clear_halts(*, campaign_id: int) -> None:
    """Let every lane of the campaign go on: a person says that the reason is mended."""
    Lane.objects.filter(campaign_id=campaign_id).exclude(halt_reason="").update(halt_reason="")


def forget_dispatches(*, campaign_id: int) -> None:
    """Take every waiting batch for unpublished, so that dispatch publishes it again."""
    DeliveryBatch.objects.filter(
        campaign_id=campaign_id, state=BatchState.PENDING, dispatched_at__isnull=False
    ).update(dispatched_at=None, dispatches=0)


def touch_lane(*, lane_id: int, now: datetime) -> None:
    """Note that the lane moved: it does not stand still."""
    Lane.objects.filter(pk=lane_id).update(progressed_at=now)


def forget_failures(*, campaign_id: int) -> None:
    """Note that the campaign got further: whatever failed before is overcome."""
    PushCampaign.objects.filter(pk=campaign_id, engine_failures__gt=0).update(engine_failures=0)


def touch_if_plan_stands_still(*, campaign_id: int, since: datetime, now: datetime) -> bool:
    """Note that a plan that has not moved since then is taken up again.

    Returns whether this call is the one to take it up.
    """
    rows = Lane.objects.filter(
        campaign_id=campaign_id, planned_at=None, halt_reason="", progressed_at__lte=since
    ).update(progressed_at=now)
    return rows > 0


def add_planned(*, campaign_id: int, devices: int) -> bool:
    """Count planned devices, if the campaign is still being sent: else the plan must not grow."""
    rows = PushCampaign.objects.filter(pk=campaign_id, status=CampaignStatus.PROCESSING).update(
        total_recipients=F("total_recipients") + devices, engine_failures=0
    )
    return rows == 1
