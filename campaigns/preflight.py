"""One message to the provider before the million, to hear whether it, or we, are refused.

Local rules catch what stands in the provider's documents; the canary (`validate_only`, delivered to
nobody) catches the rest, so that a bad payload or a broken project never meets the audience.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime

from campaigns import engine, transitions
from campaigns.models import Lane, PushCampaign
from campaigns.planner import audience_of
from campaigns.rescue import close_stopped_campaign
from devices.models import DeviceToken
from pushcore.messages import AddressKind, Platform, Template
from pushcore.outcomes import Trouble, Verdict, judge
from pushcore.transports.base import OpenGate

logger = logging.getLogger(__name__)

LOOK_AT_DEVICES = 1_000
"""The canaries are the first of their platform among so many devices of the audience."""
CANARIES_PER_PLATFORM = 3
"""An address may be dead, so one refusal that names no reason does not condemn the payload."""
_REFUSALS = frozenset({Trouble.PROJECT, Trouble.ACCESS_TOKEN})


def may_send(campaign: PushCampaign, lane: Lane, *, clock: Callable[[], datetime]) -> bool:
    """Let the provider check the message for the lane's platforms, once, before it is planned.

    A refused payload fails the campaign, a refused project halts the lane; both with the
    provider's words. Where the provider does not answer the sending itself will find out.
    """
    if lane.planned_batches:
        return True
    for devices in _canaries(campaign, lane).values():
        verdicts = _ask(campaign, lane, devices, now=clock())
        if refused := _first(verdicts, _REFUSALS):
            reason = f"{lane.project.project_id}: {refused.code} {refused.detail}".strip()
            transitions.halt_lane(
                campaign_id=campaign.pk, project_id=lane.project_id, reason=reason
            )
            return False
        if payload := _first(verdicts, {Trouble.PAYLOAD}):
            _fail(campaign, f"{payload.code} {payload.detail}".strip(), now=clock())
            return False
    return True


def _canaries(campaign: PushCampaign, lane: Lane) -> dict[str, list[DeviceToken]]:
    audience = audience_of(campaign).devices_of_project(
        lane.project_id, after_id=0, until_id=lane.plan_until_id
    )
    chosen: dict[str, list[DeviceToken]] = {}
    for device in audience[:LOOK_AT_DEVICES]:
        same = chosen.setdefault(device.platform, [])
        if len(same) < CANARIES_PER_PLATFORM:
            same.append(device)
    return chosen


def _ask(
    campaign: PushCampaign, lane: Lane, devices: Iterable[DeviceToken], *, now: datetime
) -> list[Verdict]:
    template = Template(campaign.content(), now=now)
    bodies = [
        template.variant_for(
            Platform(device.platform), AddressKind(device.address_kind)
        ).render_dry_run(device.address, device.pk)
        for device in devices
    ]
    answers = engine.line_of(lane.project).transport.send(bodies, gate=OpenGate())
    return [judge(answer, now=now.timestamp()) for answer in answers if answer is not None]


def _first(verdicts: Iterable[Verdict], troubles: Iterable[Trouble]) -> Verdict | None:
    return next((verdict for verdict in verdicts if verdict.trouble in troubles), None)


def _fail(campaign: PushCampaign, reason: str, *, now: datetime) -> None:
    if transitions.fail_if_running(campaign_id=campaign.pk, reason=reason, now=now):
        logger.warning("Campaign %s failed: the provider refuses its message.", campaign.pk)
        close_stopped_campaign(campaign_id=campaign.pk, now=now)
