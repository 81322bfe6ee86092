"""One message to the provider before the million, to hear whether it, or we, are refused.

Local rules catch what stands in the provider's documents; the canary (`validate_only`, delivered to
nobody) catches the rest, so that a bad payload or a broken project never meets the audience.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

import orjson

from campaigns import engine, transitions
from campaigns.audiences import audience_of
from campaigns.engine import Line
from campaigns.models import Lane, PushCampaign
from campaigns.rescue import close_stopped_campaign
from devices.models import DeviceToken
from pushcore.credentials import CredentialsError, TokenUnavailableError
from pushcore.messages import AddressKind, Platform, Template
from pushcore.outcomes import Outcome, Trouble, Verdict, judge
from pushcore.transports.base import OpenGate

logger = logging.getLogger(__name__)

LOOK_AT_DEVICES = 1_000
"""The canaries are the first of their platform among so many devices of the audience."""
CANARIES_PER_PLATFORM = 3
"""An address may be dead, so one refusal that names no reason does not condemn the payload."""


class Refused(Exception):
    """The provider refuses the payload or the project; the message holds its words."""

    def __init__(self, trouble: Trouble, words: str) -> None:
        self.trouble = trouble
        super().__init__(words)


def may_send(campaign: PushCampaign, lane: Lane, *, clock: Callable[[], datetime]) -> bool:
    """Let the provider check the message for the lane's platforms, once, before it is planned.

    A refused payload fails the campaign, a refused project halts the lanes of all campaigns over
    it; both with the provider's words. Where the provider does not answer the sending itself will
    find out.
    """
    if lane.planned_batches:
        return True
    try:
        _check(campaign, lane, clock=clock)
    except TokenUnavailableError:
        return True  # a passing fault: the batches will ask again, and wait for it if need be
    except (Refused, CredentialsError) as refusal:
        _stop(campaign, lane, refusal, now=clock())
        return False
    return True


def _check(campaign: PushCampaign, lane: Lane, *, clock: Callable[[], datetime]) -> None:
    line = engine.line_of(lane.project)
    template = Template(campaign.content(), now=clock())
    for platform, devices in _canaries(campaign, lane, now=clock()).items():
        bodies = [
            template.variant_for(platform, AddressKind(device.address_kind)).render_dry_run(
                device.address, device.pk
            )
            for device in devices
        ]
        verdicts = _ask(line, bodies, clock=clock)
        if all(_is_unexplained(verdict) for verdict in verdicts):
            _tell_payload_from_address(line, devices[0], clock=clock)


def _canaries(
    campaign: PushCampaign, lane: Lane, *, now: datetime
) -> dict[Platform, list[DeviceToken]]:
    audience = audience_of(campaign, now=now)
    chosen: dict[Platform, list[DeviceToken]] = {}
    for device in audience.first_devices(
        lane.project_id, until_id=lane.plan_until_id, count=LOOK_AT_DEVICES
    ):
        same = chosen.setdefault(Platform(device.platform), [])
        if len(same) < CANARIES_PER_PLATFORM:
            same.append(device)
    return chosen


def _ask(line: Line, bodies: Sequence[bytes], *, clock: Callable[[], datetime]) -> list[Verdict]:
    """Return the verdicts on requests that deliver nothing.

    Raises:
        Refused: one of them is about payload or project, our access token refreshed once.
        CredentialsError: there is no access token to be had.
    """
    token = line.tokens.current()
    verdicts = _judged(line, bodies, clock=clock)
    if any(verdict.trouble is Trouble.ACCESS_TOKEN for verdict in verdicts):
        line.tokens.rejected(token)
        verdicts = _judged(line, bodies, clock=clock)
    for trouble in (Trouble.ACCESS_TOKEN, Trouble.PROJECT, Trouble.PAYLOAD):
        for verdict in verdicts:
            if verdict.trouble is trouble:
                raise Refused(trouble, f"{verdict.code} {verdict.detail}".strip())
    return verdicts


def _judged(line: Line, bodies: Sequence[bytes], *, clock: Callable[[], datetime]) -> list[Verdict]:
    answers = line.transport.send(bodies, gate=OpenGate())
    return [judge(answer, now=clock().timestamp()) for answer in answers if answer is not None]


def _is_unexplained(verdict: Verdict) -> bool:
    """Whether it is refused as INVALID_ARGUMENT without saying what of: address or payload."""
    return verdict.outcome is Outcome.INVALID_TOKEN and verdict.code == "INVALID_ARGUMENT"


def _tell_payload_from_address(
    line: Line, device: DeviceToken, *, clock: Callable[[], datetime]
) -> None:
    """Ask with the same address and no payload: what is accepted then condemns the payload.

    Raises:
        Refused: it does.
    """
    bare = {"validate_only": True, "message": {device.address_kind: device.address}}
    [verdict] = _ask(line, [orjson.dumps(bare)], clock=clock) or [Verdict(Outcome.PENDING)]
    if verdict.outcome is Outcome.SUCCESS:
        raise Refused(Trouble.PAYLOAD, "INVALID_ARGUMENT without the provider's reason")


def _stop(
    campaign: PushCampaign, lane: Lane, refusal: Refused | CredentialsError, *, now: datetime
) -> None:
    if isinstance(refusal, Refused) and refusal.trouble is Trouble.PAYLOAD:
        if transitions.fail_if_running(campaign_id=campaign.pk, reason=str(refusal), now=now):
            logger.warning("Campaign %s failed: the provider refuses its message.", campaign.pk)
            close_stopped_campaign(campaign_id=campaign.pk, now=now)
        return
    reason = f"{lane.project.project_id}: {refusal}"
    logger.warning("Campaign %s: %s", campaign.pk, reason)
    transitions.halt_project(project_id=lane.project_id, reason=reason)
