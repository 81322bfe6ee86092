"""A campaign sent to a few devices now, for its author to look at; its account knows nothing of it.

The message is the campaign's own, under the campaign's stable id: the real one replaces it on the
device. It takes its place in the project's quota as urgent. Nobody is deactivated by it: what is
refused here may be the fault of a message that no preflight has checked yet.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final, NamedTuple

from django.db.models import Q

from campaigns import engine
from campaigns.deliveries import STATUS_OF_OUTCOME
from campaigns.drafts import refuse_unfit
from campaigns.errors import FieldsRefused
from campaigns.models import PushCampaign, PushLog
from devices.models import DeviceToken, FcmProject
from pushcore.credentials import CredentialsError
from pushcore.gate import Live
from pushcore.messages import AddressKind, Platform, Priority, Template
from pushcore.order import Addressed, Order
from pushcore.outcomes import Outcome
from pushcore.report import Report
from pushcore.retry import Guarantee
from pushcore.validation import Problem

MAX_DEVICES: Final = 100
DEADLINE_S: Final = 10.0
"""Somebody waits for the answer: what could not be started by then is not sent."""

# A process has one line to each project, made for one sender at a time; a web server has threads.
_SENDING = threading.Lock()


class TrialResult(NamedTuple):
    """What became of the message to one device."""

    device_id: int
    user_id: str
    platform: str
    project: str
    status: str
    """One of `PushLog.Status`; `skipped` where nothing was sent."""
    error: str = ""
    detail: str = ""
    message_id: str = ""


def send_trial(
    *,
    campaign_id: int,
    device_ids: Sequence[int] = (),
    user_ids: Sequence[str] = (),
    clock: Callable[[], datetime],
) -> list[TrialResult]:
    """Send the campaign's message to these devices, and those of these users, and wait for answers.

    Returns a result for each device, by project and id. Nothing is tried a second time.

    Raises:
        FieldsRefused: the message can't be sent; one of those named is not there, or a user has no
            active device; there are none, or more than `MAX_DEVICES`.
        PushCampaign.DoesNotExist: there is no such campaign.
    """
    campaign = PushCampaign.objects.get(pk=campaign_id)
    now = clock()
    refuse_unfit(campaign, now=now)
    devices = _chosen(device_ids, user_ids)
    template = Template(campaign.content(), now=now)
    results: list[TrialResult] = []
    for project, of_project in groupby(devices, key=lambda device: device.project):
        results += _send_to(project, list(of_project), campaign_id, template)
    return results


def _chosen(device_ids: Sequence[int], user_ids: Sequence[str]) -> list[DeviceToken]:
    """Return the devices, by project.

    Raises:
        FieldsRefused: see `send_trial`.
    """
    named = Q(pk__in=device_ids) | Q(user_id__in=user_ids, is_active=True)
    found = DeviceToken.objects.filter(named).select_related("project").order_by("project", "pk")
    devices = list(found[: MAX_DEVICES + 1])
    if problems := list(_problems(devices, device_ids, user_ids)):
        raise FieldsRefused(problems)
    return devices


def _problems(
    devices: Sequence[DeviceToken], device_ids: Sequence[int], user_ids: Sequence[str]
) -> Iterator[Problem]:
    if len(devices) > MAX_DEVICES:
        words = f"These are more than the {MAX_DEVICES} devices that a test may reach."
        yield Problem("user_ids" if user_ids else "device_ids", "range", words)
        return
    if not device_ids and not user_ids:
        yield Problem("device_ids", "required", "Name devices, or users in `user_ids`.")
    for device_id in sorted(set(device_ids) - {device.pk for device in devices}):
        yield Problem("device_ids", "unknown", f"There is no device {device_id}.")
    for user_id in sorted(set(user_ids) - {device.user_id for device in devices}):
        yield Problem("user_ids", "unknown", f"“{user_id}” has no active device.")


def _send_to(
    project: FcmProject, devices: Sequence[DeviceToken], campaign_id: int, template: Template
) -> list[TrialResult]:
    active = [device for device in devices if device.is_active]
    results = {device.pk: _skipped(device, "INACTIVE") for device in devices}
    order = Order(
        template=template,
        priority=Priority.HIGH,
        guarantee=Guarantee.AT_MOST_ONCE,
        campaign_key=f"trial-{campaign_id}",
        deadline=time.monotonic() + DEADLINE_S,
        poll=Live,
    )
    addressed = [
        Addressed(
            device.pk, device.address, AddressKind(device.address_kind), Platform(device.platform)
        )
        for device in active
    ]
    try:
        with _SENDING:
            report = engine.line_of(project).sender.send(addressed, order)
    except CredentialsError as refusal:
        told = {device.pk: _skipped(device, "CREDENTIALS", str(refusal)) for device in active}
    else:
        told = {device.pk: _result(device, report, at) for at, device in enumerate(active)}
    return list((results | told).values())


def _result(device: DeviceToken, report: Report, at: int) -> TrialResult:
    outcome = Outcome(report.outcomes[at])
    if outcome == Outcome.PENDING and not report.codes[at]:
        words = "; ".join(report.troubles.values()) or f"Its turn did not come in {DEADLINE_S:g} s."
        return _skipped(device, "NOT_SENT", words)
    # What is worth another try in a campaign gets none here: it failed.
    final = Outcome.FAILED if outcome == Outcome.PENDING else outcome
    return _told(
        device,
        status=STATUS_OF_OUTCOME[final],
        error=report.codes[at],
        detail=report.details[at],
        message_id=report.message_ids[at] or "",
    )


def _skipped(device: DeviceToken, error: str, detail: str = "") -> TrialResult:
    return _told(device, status=PushLog.Status.SKIPPED.value, error=error, detail=detail)


def _told(device: DeviceToken, **what: str) -> TrialResult:
    return TrialResult(
        device_id=device.pk,
        user_id=device.user_id,
        platform=device.platform,
        project=device.project.project_id,
        **what,
    )
