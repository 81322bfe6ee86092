"""FCM: whether each project lets us in, and how much of its quota is used."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import orjson
import redis
from django.conf import settings
from django.db.models import Sum
from django.db.models.functions import Coalesce

from campaigns import engine
from campaigns.doctor.findings import Finding, critical, ok, warning
from campaigns.engine import Line
from campaigns.models import DeliveryBatch
from campaigns.states import CampaignStatus
from devices.models import DeviceToken, FcmProject
from pushcore.credentials import CredentialsError, TokenUnavailableError
from pushcore.outcomes import Outcome, Trouble, judge
from pushcore.pacing import Pace, Pacer
from pushcore.transports.base import OpenGate

_REFUSALS: Final = frozenset({Trouble.PROJECT, Trouble.ACCESS_TOKEN, Trouble.PAYLOAD})
_MINUTE: Final = timedelta(minutes=1)


def check_projects(now: datetime) -> Sequence[Finding]:
    """Ask FCM, for each project, for a token and to check a message that is sent to nobody."""
    found = [_check_project(project, now=now) for project in FcmProject.objects.order_by("pk")]
    return found or [
        warning(
            "There is no FCM project: nothing can be sent.",
            "Run: manage.py projects create --help",
        )
    ]


def _check_project(project: FcmProject, *, now: datetime) -> Finding:
    name = project.project_id
    try:
        line = engine.line_of(project)
        line.tokens.current()
    except TokenUnavailableError as exc:
        return critical(f"{name}: {exc}", "Look whether this machine reaches Google.")
    except CredentialsError as exc:
        return critical(
            f"{name}: {exc}",
            f"Run: manage.py projects change {name} --credentials file:/path/to/key.json",
        )
    device = DeviceToken.objects.filter(project=project, is_active=True).first()
    if device is None:
        return ok(f"{name}: the service account is taken; no device to try a message with.")
    return _try_message(name, line, device, now=now)


def _try_message(name: str, line: Line, device: DeviceToken, *, now: datetime) -> Finding:
    body = {"validate_only": True, "message": {device.address_kind: device.address}}
    [answer] = line.transport.send([orjson.dumps(body)], gate=OpenGate())
    if answer is None:
        return critical(f"{name}: FCM does not answer.", "Look whether this machine reaches it.")
    verdict = judge(answer, now=now.timestamp())
    words = f"{verdict.code} {verdict.detail}".strip()
    if verdict.trouble in _REFUSALS:
        return critical(f"{name} refuses us: {words}", "docs/provider.md says what it means.")
    if verdict.trouble is not Trouble.NONE or verdict.outcome is Outcome.PENDING:
        return warning(f"{name} has trouble: {words}", "docs/provider.md says what it means.")
    return ok(f"{name}: FCM takes our messages.")


def check_quota(now: datetime) -> Sequence[Finding]:
    """Look at how much of each project's quota the last minute used."""
    found = []
    for project in FcmProject.objects.order_by("pk"):
        pace = _pace(project)
        used = _settled(project, since=now - _MINUTE)
        title = f"{project.project_id}: {used:,} of {project.quota_per_minute:,} a minute."
        if pace.blocked_for_s > 0:
            found.append(
                warning(
                    f"{project.project_id} is out of quota for {pace.blocked_for_s:.0f} s.",
                    "Lower quota_per_minute to what Google grants, or ask Google for more.",
                )
            )
        elif pace.factor < 0.95:
            found.append(
                warning(
                    f"{title} The pace is {pace.factor:.0%} after a refusal.",
                    "It comes back by itself; compare quota_per_minute with Google's console.",
                )
            )
        else:
            found.append(ok(title))
    return found or [ok("There is no project with a quota.")]


def _pace(project: FcmProject) -> Pace:
    with redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2
    ) as client:
        return Pacer(
            client, project_key=project.project_id, quota_per_minute=project.quota_per_minute
        ).state()


def _settled(project: FcmProject, *, since: datetime) -> int:
    batches = DeliveryBatch.objects.filter(
        project=project, campaign__status=CampaignStatus.PROCESSING, settled_at__gte=since
    )
    counted = batches.aggregate(
        sent=Coalesce(Sum("success_count") + Sum("failure_count") + Sum("unknown_count"), 0)
    )
    return int(counted["sent"])
