"""From a started campaign to messages under way: preflight, plan and dispatch, interleaved."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from campaigns import dispatch, poison, preflight, transitions
from campaigns.models import Lane, PushCampaign
from campaigns.planner import plan_next_slice
from campaigns.states import CampaignStatus


def plan_and_dispatch(*, campaign_id: int, clock: Callable[[], datetime]) -> None:
    """Check the message with the provider, then plan all lanes, publishing as the plan grows.

    Safe to run again at any time, also twice at once: it goes on where the plan stopped.
    """
    with poison.bounded(campaign_id=campaign_id):
        _plan_and_dispatch(campaign_id, clock)


def _plan_and_dispatch(campaign_id: int, clock: Callable[[], datetime]) -> None:
    campaign = PushCampaign.objects.get(pk=campaign_id)
    if campaign.status != CampaignStatus.PROCESSING:
        return
    lanes = list(Lane.objects.filter(campaign=campaign, halt_reason="").order_by("project_id"))
    lanes = [lane for lane in lanes if preflight.may_send(campaign, lane, clock=clock)]
    unplanned = [lane.pk for lane in lanes if lane.planned_at is None]
    while unplanned:
        # In turn, so that every project has something to send from the first second.
        for lane_id in list(unplanned):
            written = plan_next_slice(campaign=campaign, lane_id=lane_id, now=clock())
            if written is None or written.is_last:
                unplanned.remove(lane_id)
            dispatch.dispatch_next_wave(campaign=campaign, lane_id=lane_id, now=clock())
    for lane in lanes:
        dispatch.dispatch_next_wave(campaign=campaign, lane_id=lane.pk, now=clock())
    transitions.complete_if_settled(campaign_id=campaign_id, now=clock())
