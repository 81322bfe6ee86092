"""How people and programs steer campaigns; API, command line and schedules all call these.

Each function is one decision: it is made by a guarded UPDATE, and what follows from it is
published on commit. A broker that is away delays a campaign, it never loses one: the rescue
publishes what the ledger says is due.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from kombu.exceptions import OperationalError

from campaigns import local_time, transitions
from campaigns.audiences import fix_audience
from campaigns.drafts import refuse_unfit
from campaigns.errors import CampaignError, FieldsRefused, NothingToRetry, ScheduledInPast
from campaigns.ledger import reopen_failed
from campaigns.models import PushCampaign
from campaigns.planner import open_lanes
from campaigns.rescue import close_stopped_campaign
from campaigns.states import CampaignStatus, Move

logger = logging.getLogger(__name__)


def start_campaign(*, campaign_id: int, task_id: UUID, now: datetime) -> PushCampaign:
    """Start sending a draft or scheduled campaign; its planning goes on in the background.

    Raises:
        IllegalMove: it was started before (a second caller never sends a second time).
        FieldsRefused: the provider would refuse the message, or it is for nobody.
        PushCampaign.DoesNotExist: there is no such campaign.
    """
    with transaction.atomic():
        transitions.start(campaign_id=campaign_id, task_id=task_id, now=now)
        # Read under the lock that the move holds: nobody changes any more what is looked at here.
        campaign = PushCampaign.objects.get(pk=campaign_id)
        refuse_unfit(campaign, now=now)
        fix_audience(campaign)
        open_lanes(campaign=campaign, now=now)
        transaction.on_commit(lambda: publish_plan(campaign, task_id=task_id))
    return campaign


def schedule_campaign(*, campaign_id: int, scheduled_at: datetime, now: datetime) -> None:
    """Have a draft started at a moment to come, or move that moment.

    Raises:
        IllegalMove: it was started before.
        FieldsRefused: the provider would refuse the message, or it is for nobody.
        ScheduledInPast: the moment has passed.
    """
    if scheduled_at <= now:
        raise ScheduledInPast(scheduled_at)
    with transaction.atomic():
        transitions.move_campaign(
            campaign_id=campaign_id,
            move=Move.SCHEDULE,
            scheduled_at=scheduled_at,
            status_reason="",
        )
        refuse_unfit(PushCampaign.objects.get(pk=campaign_id), now=scheduled_at)


def unschedule_campaign(*, campaign_id: int) -> None:
    """Make a scheduled campaign a draft again.

    Raises:
        IllegalMove: it is not scheduled.
    """
    transitions.move_campaign(campaign_id=campaign_id, move=Move.UNSCHEDULE, scheduled_at=None)


def start_due_campaigns(*, now: datetime) -> int:
    """Start every scheduled campaign whose time has come; return how many this call started.

    One that expired before anybody looked is cancelled, and one that can't be sent any more, or is
    overdue for longer than `settings.SCHEDULE_LATENESS_S`, is a draft again; people are told.
    """
    started = 0
    missed_before = now - timedelta(seconds=settings.SCHEDULE_LATENESS_S)
    for campaign_id in _due_campaigns(now):
        if transitions.cancel_if_expired(campaign_id=campaign_id, now=now):
            continue
        if transitions.unschedule_if_overdue(campaign_id=campaign_id, since=missed_before):
            logger.warning("Campaign %s was not started: its moment is long past.", campaign_id)
            continue
        try:
            start_campaign(campaign_id=campaign_id, task_id=uuid4(), now=now)
            started += 1
        except FieldsRefused as refusal:
            transitions.unschedule_if_scheduled(campaign_id=campaign_id, reason=str(refusal))
            logger.warning("Campaign %s was not started when due: %s", campaign_id, refusal)
        except CampaignError as refusal:
            logger.info("Campaign %s was started by somebody else: %s", campaign_id, refusal)
        except Exception:  # whatever it is, it must not keep the others from starting
            logger.exception("Campaign %s could not be started when due.", campaign_id)
    return started


def _due_campaigns(now: datetime) -> list[int]:
    """Return the scheduled campaigns that are to begin; some hours ahead where for local times."""
    near = Q(scheduled_at__lte=now) | Q(local_time=True, scheduled_at__lte=now + local_time.AHEAD)
    scheduled = PushCampaign.objects.filter(near, status=CampaignStatus.SCHEDULED)
    return [
        campaign.pk
        for campaign in scheduled.defer("target_user_ids")
        if (begins_at := local_time.begins_at(campaign)) and begins_at <= now
    ]


def pause_campaign(*, campaign_id: int) -> None:
    """Stop sending for now; what is in flight settles.

    Raises:
        IllegalMove: it is not being sent.
    """
    transitions.move_campaign(
        campaign_id=campaign_id, move=Move.PAUSE, status_reason="paused by hand"
    )


def resume_campaign(*, campaign_id: int) -> None:
    """Send on what is not settled yet, also where a refusal of the provider had paused it.

    Raises:
        IllegalMove: it is not paused.
    """
    with transaction.atomic():
        # Locked in the order of planners and settlers: lanes, batches, and last the campaign.
        transitions.clear_halts(campaign_id=campaign_id)
        transitions.forget_dispatches(campaign_id=campaign_id)
        transitions.move_campaign(campaign_id=campaign_id, move=Move.RESUME, status_reason="")
        campaign = PushCampaign.objects.get(pk=campaign_id)
        transaction.on_commit(lambda: publish_plan(campaign))


def cancel_campaign(*, campaign_id: int, now: datetime) -> None:
    """End the campaign; whoever has not been sent to is skipped.

    Raises:
        IllegalMove: it has ended already.
    """
    transitions.move_campaign(
        campaign_id=campaign_id,
        move=Move.CANCEL,
        completed_at=now,
        status_reason="cancelled by hand",
    )
    close_stopped_campaign(campaign_id=campaign_id, now=now)


def set_rate_limit(*, campaign_id: int, rate_limit_per_second: int | None) -> None:
    """Change the campaign's own pace (messages a second, None for none), also while it is sent.

    Every worker keeps to it within two seconds; nothing is restarted.

    Raises:
        IllegalMove: it has ended.
    """
    transitions.change_rate(campaign_id=campaign_id, rate_limit_per_second=rate_limit_per_second)


def retry_failed(*, campaign_id: int) -> int:
    """Send a completed campaign again to those that failed; dead addresses are left out.

    Returns how many devices are tried again.

    Raises:
        IllegalMove: it is not completed.
        NothingToRetry: none has failed, or for dead addresses only; nothing has changed.
    """
    with transaction.atomic():
        transitions.move_campaign(
            campaign_id=campaign_id, move=Move.RETRY_FAILED, completed_at=None
        )
        reopened = reopen_failed(campaign_id=campaign_id)
        if not reopened:
            raise NothingToRetry
        campaign = PushCampaign.objects.get(pk=campaign_id)
        transaction.on_commit(lambda: publish_plan(campaign))
    return reopened


def publish_plan(campaign: PushCampaign, *, task_id: UUID | None = None) -> None:
    """Ask a worker to plan and dispatch; a broker that is away is left to the rescue."""
    from campaigns.tasks import execute_push_campaign

    try:
        execute_push_campaign.apply_async(
            (campaign.pk,),
            queue=campaign.queue,
            task_id=str(task_id) if task_id else None,
            retry_policy={"max_retries": 1},
        )
    except OperationalError:
        logger.warning("The broker is away: campaign %s is left to the rescue.", campaign.pk)
